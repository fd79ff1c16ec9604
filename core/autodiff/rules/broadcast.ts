/** Operators on several tensors with NumPy broadcasting: each gradient is summed back to its input's own shape. */
import type { RuleContext, RuleTable } from '../rule.ts';

/** Sums a gradient of the output's shape down to the shape of input i. */
function to(c: RuleContext, i: number, gradient: string): string {
  return c.ops.unbroadcast(gradient, c.shape(c.outputs[0]!), c.shape(c.inputs[i]!));
}

/** Max and Min: the gradient is shared evenly among the inputs that attain the extremum. */
const extremum: RuleTable[string] = (c) => {
  const { ops, dtype } = c;
  const attains = (i: number) => ops.indicator(ops.op('Equal', [c.inputs[i]!, c.outputs[0]!]), dtype);
  const share = () => {
    if (c.inputs.length === 1) return c.d;
    const ties = c.inputs.map((_, i) => attains(i));
    return ops.div(c.d, ops.op('Sum', ties));
  };
  return c.inputs.map((_, i) => () => to(c, i, ops.mul(share(), attains(i))));
};

export const BROADCAST: RuleTable = {
  Add: (c) => [() => to(c, 0, c.d), () => to(c, 1, c.d)],
  Sub: (c) => [() => to(c, 0, c.d), () => to(c, 1, c.ops.neg(c.d))],
  Mul: (c) => [() => to(c, 0, c.ops.mul(c.d, c.inputs[1]!)), () => to(c, 1, c.ops.mul(c.d, c.inputs[0]!))],
  Div: (c) => {
    const { ops, d } = c;
    const [, b] = c.inputs as [string, string];
    const quotient = () => ops.div(d, b);
    return [() => to(c, 0, quotient()), () => to(c, 1, ops.neg(ops.mul(quotient(), c.outputs[0]!)))];
  },
  /** d(xᵉ) = e·xᵉ⁻¹ dx + xᵉ·ln x de; the second only where x > 0. */
  Pow: (c) => {
    const { ops, d, dtype } = c;
    const [x, e] = c.inputs as [string, string];
    const one = () => ops.scalar(dtype, 1);
    return [
      () => to(c, 0, ops.mul(d, ops.mul(e, ops.op('Pow', [x, ops.sub(e, one())])))),
      () => to(c, 1, ops.mul(d, ops.mul(c.outputs[0]!, ops.op('Log', [x])))),
    ];
  },
  Max: extremum,
  Min: extremum,
  Sum: (c) => c.inputs.map((_, i) => () => to(c, i, c.d)),
  Mean: (c) => c.inputs.map((_, i) => () => to(c, i, c.ops.div(c.d, c.ops.scalar(c.dtype, c.inputs.length)))),
  Where: (c) => {
    const { ops, d, dtype } = c;
    const condition = c.inputs[0]!;
    const zero = () => ops.scalar(dtype, 0);
    return [
      undefined,
      () => to(c, 1, ops.op('Where', [condition, d, zero()])),
      () => to(c, 2, ops.op('Where', [condition, zero(), d])),
    ];
  },
};
