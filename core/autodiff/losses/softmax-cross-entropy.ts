/** −Σ target·log softmax(logits), over the last axis. Its gradient is softmax(logits)·Σ target − target. */
import type { LossOf } from '../../contracts/loss.ts';
import type { DType } from '../../tensors/dtypes.ts';
import type { TensorSpec } from '../../tensors/tensor.ts';
import type { Ops, Shape } from '../ops.ts';
import type { ColumnInput, Loss, LossValues, WrittenLoss } from './loss.ts';
import { type Reduction, reductionOf } from './reduction.ts';
import { checkMask, checkOutput, columnAs, fits, fitsElements, refusal, show, targetOf } from './shapes.ts';

const INTEGERS: ReadonlySet<DType> = new Set(['I8', 'U8', 'I16', 'U16', 'I32', 'U32', 'I64']);

/** Whether the target has a number for each class rather than a class id. @param row its shape */
const isDistribution = (output: TensorSpec, row: Shape) => fits(output.shape.slice(1), row.map(Number));

export const softmaxCrossEntropy: Loss<LossOf<'softmax-cross-entropy'>> = {
  activations: ['Softmax', 'LogSoftmax'],

  check(_, output, columns) {
    checkOutput(output);
    const { name, shape } = output;
    const classes = shape.at(-1);
    if (shape.length < 2 || (typeof classes === 'number' && classes < 2))
      throw refusal('output', `${name} is ${show(shape)}: it must be [batch, …, classes], 2 or more classes`);
    const target = targetOf(columns);
    const elements = shape.slice(1, -1);
    checkMask(columns, elements);
    if (isDistribution(output, target.shape)) return;
    if (!fitsElements(elements, target.shape))
      throw refusal(
        'target',
        `a row is ${show(target.shape)}: class ids for ${name} are ${show(elements)}, probabilities ${show(shape.slice(1))}`,
      );
    if (!INTEGERS.has(target.dtype) || target.divisor !== undefined) {
      const divided = target.divisor === undefined ? '' : `, divided by ${target.divisor}`;
      throw refusal('target', `class ids must be integers, this is ${target.dtype}${divided}`);
    }
  },

  rules({ target: tensor, mask, ignoreIndex }, output, columns) {
    const classes = classesOf(output);
    const target = targetOf(columns);
    const values = isDistribution(output, target.shape)
      ? { what: 'probability', low: 0, high: target.divisor ?? 1 }
      : {
          what: 'class id',
          low: 0,
          high: classes - 1,
          ...(ignoreIndex === undefined ? {} : { except: ignoreIndex }),
        };
    const weights = mask === undefined ? [] : [{ tensor: mask, what: 'weight', low: 0 }];
    return [{ tensor, ...values }, ...weights];
  },

  write(ops, { ignoreIndex }, values) {
    const { output } = values;
    const target = values.target!;
    const predicted = ops.op('ArgMax', [output.name], { axis: -1, keepdims: 1 });
    const written = { ops, values, target, predicted };
    return isDistribution(output, target.shape.slice(1))
      ? againstDistribution(written)
      : againstIds(written, ignoreIndex);
  },
};

/** @throws Fault where the last dimension is not known */
function classesOf({ name, shape }: TensorSpec): number {
  const classes = shape.at(-1);
  if (typeof classes !== 'number')
    throw refusal('output', `${name} is ${show(shape)}: the number of classes must be known before training`);
  return classes;
}

interface Writing {
  readonly ops: Ops;
  readonly values: LossValues;
  readonly target: ColumnInput;
  /** The class with the largest score, `[…, 1]`. */
  readonly predicted: string;
}

function againstIds(
  { ops, values, target, predicted }: Writing,
  ignoreIndex: number | undefined,
): WrittenLoss {
  const { output, mask } = values;
  const { name: logits, dtype } = output;
  const elements = ops.op('Shape', [predicted]);
  const wide = target.dtype === 'I64' ? target.name : ops.cast(target.name, 'I64');
  // Reshaped to what is there: ids of another number of elements are an error, not a broadcast.
  const given = ops.op('Reshape', [wide, elements]);

  const isIgnored = ignoreIndex === undefined ? undefined : ops.op('Equal', [given, ops.ints([ignoreIndex])]);
  const ids = isIgnored === undefined ? given : ops.op('Where', [isIgnored, ops.ints([0]), given]);
  const kept = isIgnored === undefined ? undefined : ops.indicator(ops.op('Not', [isIgnored]), dtype);
  const masked = mask === undefined ? undefined : columnAs(ops, mask, predicted, dtype);
  const weights = kept === undefined || masked === undefined ? (kept ?? masked) : ops.mul(kept, masked);
  const reduction = reductionOf(ops, dtype, ids, weights);

  const logProbabilities = ops.op('LogSoftmax', [logits], { axis: -1 });
  const probabilities = ops.op('Exp', [logProbabilities]);
  // Looked up and subtracted where the class is: as quick as comparing with ten classes, quicker with more.
  const picked = ops.op('GatherElements', [logProbabilities, ids], { axis: -1 });
  const minus = ops.op('Expand', [ops.scalar(dtype, -1), elements]);
  const subtract = { axis: -1, reduction: 'add' };
  const difference = ops.op('ScatterElements', [probabilities, ids, minus], subtract);
  const sum = ops.neg(reduction.sum(picked));
  const hits = ops.op('Equal', [predicted, ids]);
  return written(values, reduction, { sum, difference, hits: ops.indicator(hits, dtype) });
}

function againstDistribution({ ops, values, target, predicted }: Writing): WrittenLoss {
  const { output, mask } = values;
  const { name: logits, dtype } = output;
  const shares = columnAs(ops, target, logits, dtype);
  const weights = mask === undefined ? undefined : columnAs(ops, mask, predicted, dtype);
  const reduction = reductionOf(ops, dtype, predicted, weights);
  const overClasses = (value: string) => ops.sum(value, [output.shape.length - 1], true);

  const logProbabilities = ops.op('LogSoftmax', [logits], { axis: -1 });
  const sum = ops.neg(reduction.sum(ops.mul(shares, logProbabilities)));
  const scaled = ops.mul(ops.op('Exp', [logProbabilities]), overClasses(shares));
  const actual = ops.op('ArgMax', [shares], { axis: -1, keepdims: 1 });
  const hits = ops.indicator(ops.op('Equal', [predicted, actual]), dtype);
  return written(values, reduction, { sum, difference: ops.sub(scaled, shares), hits });
}

function written(
  { output }: LossValues,
  { count, sum: sumOf, mean, scale }: Reduction,
  { sum, difference, hits }: { readonly sum: string; readonly difference: string; readonly hits: string },
): WrittenLoss {
  const accuracy = sumOf(hits);
  const isSequence = output.shape.length > 2;
  return {
    loss: mean(sum),
    count,
    seed: scale(difference),
    sums: isSequence ? { perplexity: sum, accuracy } : { accuracy },
  };
}
