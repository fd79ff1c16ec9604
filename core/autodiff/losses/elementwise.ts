/** Losses that compare each number of the output with one of the target. */
import type { LossSpec } from '../../contracts/loss.ts';
import type { MeanMetric } from '../../metrics/means.ts';
import type { DType } from '../../tensors/dtypes.ts';
import type { Ops } from '../ops.ts';
import type { Activation } from './activation.ts';
import type { Loss } from './loss.ts';
import { reductionOf } from './reduction.ts';
import { checkMask, checkOutput, columnAs, fitsElements, refusal, show, targetOf } from './shapes.ts';

type Compared = Exclude<LossSpec, { kind: 'output' }>;

interface Formula {
  /** Of each element. */
  readonly loss: string;
  /** ∂loss/∂output, of each element. */
  readonly gradient: string;
  /** What the metrics are means of, for each element. */
  readonly measures: Readonly<Partial<Record<MeanMetric, string>>>;
}

interface Kind<S extends Compared> {
  readonly activations: readonly Activation[];
  /** Of the values the target stands for. */
  readonly target: { readonly what: string; readonly low?: number; readonly high?: number };
  readonly formula: (ops: Ops, output: string, target: string, spec: S, dtype: DType) => Formula;
}

export const elementwiseLoss = <S extends Compared>({
  activations,
  target: wanted,
  formula,
}: Kind<S>): Loss<S> => ({
  activations,

  check(_, output, columns) {
    checkOutput(output);
    const { name, shape } = output;
    const target = targetOf(columns);
    if (!fitsElements(shape.slice(1), target.shape))
      throw refusal('target', `a row is ${show(target.shape)}: ${name} has ${show(shape.slice(1))}`);
    checkMask(columns, shape.slice(1));
  },

  rules({ target: tensor, mask }, _, columns) {
    const { divisor = 1 } = targetOf(columns);
    const bound = (name: 'low' | 'high') =>
      wanted[name] === undefined ? {} : { [name]: wanted[name] * divisor };
    const weights = mask === undefined ? [] : [{ tensor: mask, what: 'weight', low: 0 }];
    return [{ tensor, what: wanted.what, ...bound('low'), ...bound('high') }, ...weights];
  },

  write(ops, spec, { output, target, mask }) {
    const { name, dtype } = output;
    const wantedValues = columnAs(ops, target!, name, dtype);
    const weights = mask === undefined ? undefined : columnAs(ops, mask, name, dtype);
    const reduction = reductionOf(ops, dtype, name, weights);
    const { loss, gradient, measures } = formula(ops, name, wantedValues, spec, dtype);
    const sums = Object.entries(measures).map(([metric, each]) => [metric, reduction.sum(each)]);
    return {
      loss: reduction.mean(reduction.sum(loss)),
      count: reduction.count,
      seed: reduction.scale(gradient),
      sums: Object.fromEntries(sums),
    };
  },
});
