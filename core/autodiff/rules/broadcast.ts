/** Operators on several tensors with NumPy broadcasting: each gradient is summed back to its input's own shape. */
import type { RuleContext, RuleTable } from '../rule.ts';

/** Sums a gradient of the output's shape down to the shape of input i. */
export function toInput(c: RuleContext, i: number, gradient: string): string {
  const name = c.inputs[i]!;
  return c.ops.unbroadcast(gradient, c.dtype, c.shape(c.outputs[0]!), c.shape(name), name);
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
  return c.inputs.map((_, i) => () => toInput(c, i, ops.mul(share(), attains(i))));
};

/** e·xᵉ⁻¹, which is 0 where e is 0, also at x = 0. */
function powerSlope({ ops, dtype, inputs, constant, dtypeOf }: RuleContext): string {
  const [x, exponent] = inputs as [string, string];
  const k = (value: number) => ops.scalar(dtype, value);
  const known = constant(exponent);
  const only = known?.data.length === 1 ? Number(known.data[0]) : undefined;
  if (only === 0) return k(0);
  if (only === 1) return k(1);
  if (only === 2) return ops.mul(k(2), x);
  if (only !== undefined) return ops.mul(k(only), ops.op('Pow', [x, k(only - 1)]));
  const e = dtypeOf(exponent) === dtype ? exponent : ops.cast(exponent, dtype);
  const slope = ops.mul(e, ops.op('Pow', [x, ops.sub(e, k(1))]));
  return ops.op('Where', [ops.op('Equal', [e, k(0)]), k(0), slope]);
}

export const BROADCAST: RuleTable = {
  Add: (c) => [() => toInput(c, 0, c.d), () => toInput(c, 1, c.d)],
  Sub: (c) => [() => toInput(c, 0, c.d), () => toInput(c, 1, c.ops.neg(c.d))],
  Mul: (c) => {
    const [a, b] = c.inputs as [string, string];
    return [() => toInput(c, 0, c.ops.mul(c.d, b)), () => toInput(c, 1, c.ops.mul(c.d, a))];
  },
  Div: (c) => {
    const { ops, d } = c;
    const [, b] = c.inputs as [string, string];
    const quotient = () => ops.div(d, b);
    return [
      () => toInput(c, 0, quotient()),
      () => toInput(c, 1, ops.neg(ops.mul(quotient(), c.outputs[0]!))),
    ];
  },
  /** d(xᵉ) = e·xᵉ⁻¹ dx + xᵉ·ln x de; the second only where x > 0: elsewhere xᵉ is no smooth function of e. */
  Pow: (c) => {
    const { ops, d, dtype } = c;
    const x = c.inputs[0]!;
    return [
      () => toInput(c, 0, ops.mul(d, powerSlope(c))),
      () => {
        const slope = ops.mul(d, ops.mul(c.outputs[0]!, ops.op('Log', [x])));
        const zero = ops.scalar(dtype, 0);
        return toInput(c, 1, ops.op('Where', [ops.op('Greater', [x, zero]), slope, zero]));
      },
    ];
  },
  Max: extremum,
  Min: extremum,
  Sum: (c) => c.inputs.map((_, i) => () => toInput(c, i, c.d)),
  Mean: (c) =>
    c.inputs.map((_, i) => () => toInput(c, i, c.ops.div(c.d, c.ops.scalar(c.dtype, c.inputs.length)))),
  /** Multiplied by the mask in its own, often smaller, shape: cheaper than a Where. */
  Where: (c) => {
    const { ops, d, dtype } = c;
    const condition = c.inputs[0]!;
    const chosen = () => ops.indicator(condition, dtype);
    const other = () => ops.indicator(ops.op('Not', [condition]), dtype);
    return [undefined, () => toInput(c, 1, ops.mul(d, chosen())), () => toInput(c, 2, ops.mul(d, other()))];
  },
  PRelu: (c) => {
    const { ops, d, inputs, dtype } = c;
    const [x, slope] = inputs as [string, string];
    const negative = () => ops.indicator(ops.op('Less', [x, ops.scalar(dtype, 0)]), dtype);
    return [
      () => {
        const mask = negative();
        const factor = ops.add(ops.sub(ops.scalar(dtype, 1), mask), ops.mul(mask, slope));
        return ops.mul(d, factor);
      },
      () => toInput(c, 1, ops.mul(d, ops.mul(negative(), x))),
    ];
  },
};
