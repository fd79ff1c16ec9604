/** Reductions: the gradient of the smaller result is spread over the elements that made it. */
import { intAttribute } from '../../onnx/attributes.ts';
import { positiveAxis, range } from '../ops.ts';
import type { RuleContext, RuleTable } from '../rule.ts';

interface Reduction extends RuleContext {
  readonly x: string;
  /** Positive axes that were reduced. */
  readonly axes: readonly number[];
  /** d and y with the reduced axes as 1, so that they broadcast against x. */
  readonly dKept: string;
  readonly yKept: () => string;
}

/** Axes by the rules of opset 18: an absent or empty input means all, unless the node says it means none. */
function axesOf(c: RuleContext): readonly number[] {
  const rank = c.shape(c.inputs[0]!).length;
  const axes = c.integers(1) ?? [];
  if (axes.length > 0) return axes.map((axis) => positiveAxis(axis, rank));
  return intAttribute(c.node, 'noop_with_empty_axes', 0) === 1 ? [] : range(rank);
}

const reduction =
  (formula: (c: Reduction) => string): RuleTable[string] =>
  (c) => [
    () => {
      const axes = axesOf(c);
      const isKept = intAttribute(c.node, 'keepdims', 1) === 1 || axes.length === 0;
      const kept = (value: string) => (isKept ? value : c.ops.unsqueeze(value, axes));
      return formula({ ...c, x: c.inputs[0]!, axes, dKept: kept(c.d), yKept: () => kept(c.outputs[0]!) });
    },
  ];

/** ReduceMax and ReduceMin: shared evenly among the elements that attain the extremum. */
const extremum = reduction(({ ops, x, axes, dKept, yKept, dtype }) => {
  const attains = ops.indicator(ops.op('Equal', [x, yKept()]), dtype);
  return ops.mul(ops.div(dKept, ops.sum(attains, axes, true)), attains);
});

export const REDUCE: RuleTable = {
  ReduceSum: reduction((c) => c.ops.expand(c.dKept, c.x, c.shape(c.x))),
  ReduceMean: reduction((c) => {
    const { ops, x, axes, dtype } = c;
    const share = ops.div(c.dKept, ops.count(x, c.shape(x), axes, dtype));
    return ops.expand(share, x, c.shape(x));
  }),
  ReduceMax: extremum,
  ReduceMin: extremum,
  ReduceSumSquare: reduction(({ ops, x, dKept, dtype }) => ops.mul(ops.mul(dKept, ops.scalar(dtype, 2)), x)),
  ReduceL1: reduction(({ ops, x, dKept }) => ops.mul(dKept, ops.op('Sign', [x]))),
  ReduceL2: reduction(({ ops, x, dKept, yKept }) => ops.mul(ops.div(dKept, yKept()), x)),
  ReduceLogSum: reduction((c) => {
    const { ops, x } = c;
    return ops.expand(ops.div(c.dKept, ops.sum(x, c.axes, true)), x, c.shape(x));
  }),
  ReduceLogSumExp: reduction(({ ops, x, dKept, yKept }) =>
    ops.mul(dKept, ops.op('Exp', [ops.sub(x, yKept())])),
  ),
};
