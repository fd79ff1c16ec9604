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
  /** x/‖x‖, and 0 for the zero vector. */
  ReduceL2: reduction(({ ops, x, dKept, yKept, dtype }) => {
    const zero = ops.scalar(dtype, 0);
    const isZero = ops.op('Equal', [yKept(), zero]);
    return ops.mul(ops.op('Where', [isZero, zero, ops.div(dKept, yKept())]), x);
  }),
  /**
   * The product of the other elements. With zeros taken as ones it is the whole product divided by the element, and 0
   * where one of the others is zero.
   */
  ReduceProd: reduction(({ ops, x, axes, dKept, dtype }) => {
    const isZero = ops.op('Equal', [x, ops.scalar(dtype, 0)]);
    const zeros = ops.indicator(isZero, dtype);
    const otherZeros = ops.sub(ops.sum(zeros, axes, true), zeros);
    const factor = ops.op('Where', [isZero, ops.scalar(dtype, 1), x]);
    const product =
      axes.length === 0 ? factor : ops.op('ReduceProd', [factor, ops.ints(axes)], { keepdims: 1 });
    const hasNone = ops.indicator(ops.op('Equal', [otherZeros, ops.scalar(dtype, 0)]), dtype);
    return ops.mul(ops.mul(dKept, hasNone), ops.div(product, factor));
  }),
  ReduceLogSum: reduction((c) => {
    const { ops, x } = c;
    return ops.expand(ops.div(c.dKept, ops.sum(x, c.axes, true)), x, c.shape(x));
  }),
  ReduceLogSumExp: reduction(({ ops, x, dKept, yKept }) =>
    ops.mul(dKept, ops.op('Exp', [ops.sub(x, yKept())])),
  ),
};
