/** Operators that work element by element on one tensor: dx = d · f'(x), from x or from y = f(x), what is cheaper. */
import { floatAttribute, intAttribute, stringAttribute } from '../../onnx/attributes.ts';
import type { Ops } from '../ops.ts';
import type { RuleContext, RuleTable } from '../rule.ts';

interface Unary extends RuleContext {
  readonly x: string;
  readonly y: string;
  /** A scalar constant of the node's element type. */
  readonly k: (value: number) => string;
  /** 1 where the comparison holds. */
  readonly where: (comparison: 'Greater' | 'Less', a: string, b: string) => string;
}

/** A rule for one input, given the formula of its gradient. */
const unary =
  (formula: (c: Unary) => string): RuleTable[string] =>
  (c) => [
    () => {
      const { ops, dtype } = c;
      return formula({
        ...c,
        x: c.inputs[0]!,
        y: c.outputs[0]!,
        k: (value) => ops.scalar(dtype, value),
        where: (comparison, a, b) => ops.indicator(ops.op(comparison, [a, b]), dtype),
      });
    },
  ];

/** d where x > 0, d·slope elsewhere; the slope may be a tensor. */
function leaky({ ops, d, x, k, where }: Unary, slope: string): string {
  const positive = where('Greater', x, k(0));
  const factor = ops.add(positive, ops.mul(ops.sub(k(1), positive), slope));
  return ops.mul(d, factor);
}

/** γ·x for x > 0, γ·α(exp(x)-1) elsewhere: Elu and Selu. There y + γα = γα·exp(x). */
function exponentialLinear(c: Unary, alpha: number, gamma: number): string {
  const { ops, k, x, y } = c;
  const positive = c.where('Greater', x, k(0));
  const tail = ops.mul(ops.sub(k(1), positive), ops.add(y, k(gamma * alpha)));
  return ops.mul(c.d, ops.add(ops.mul(positive, k(gamma)), tail));
}

/** d·slope inside an open interval of x, 0 outside. */
function inside({ ops, d, x, k, where }: Unary, low: number, high: number, slope: number): string {
  const mask = ops.mul(where('Greater', x, k(low)), where('Less', x, k(high)));
  return ops.mul(d, ops.mul(mask, k(slope)));
}

/** Φ(x) + x·φ(x): the derivative of x·Φ(x) (Hendrycks & Gimpel 2016, arXiv:1606.08415). */
function geluExact(ops: Ops, x: string, k: Unary['k']): string {
  const erf = ops.op('Erf', [ops.mul(x, k(Math.SQRT1_2))]);
  const cdf = ops.mul(k(0.5), ops.add(k(1), erf));
  const density = ops.mul(k(1 / Math.sqrt(2 * Math.PI)), ops.op('Exp', [ops.mul(ops.mul(x, x), k(-0.5))]));
  return ops.add(cdf, ops.mul(x, density));
}

/** The derivative of x/2·(1 + tanh(√(2/π)(x + 0.044715 x³))). */
function geluTanh(ops: Ops, x: string, k: Unary['k']): string {
  const scale = k(Math.sqrt(2 / Math.PI));
  const square = ops.mul(x, x);
  const inner = ops.mul(scale, ops.mul(x, ops.add(k(1), ops.mul(k(0.044715), square))));
  const tanh = ops.op('Tanh', [inner]);
  const slope = ops.mul(scale, ops.add(k(1), ops.mul(k(3 * 0.044715), square)));
  const tanhSlope = ops.mul(ops.sub(k(1), ops.mul(tanh, tanh)), slope);
  return ops.mul(k(0.5), ops.add(ops.add(k(1), tanh), ops.mul(x, tanhSlope)));
}

export const ELEMENTWISE: RuleTable = {
  Identity: (c) => [() => c.d],
  Neg: unary(({ ops, d }) => ops.neg(d)),
  Abs: unary(({ ops, d, x }) => ops.mul(d, ops.op('Sign', [x]))),
  Exp: unary(({ ops, d, y }) => ops.mul(d, y)),
  Log: unary(({ ops, d, x }) => ops.div(d, x)),
  Sqrt: unary(({ ops, d, y, k }) => ops.div(ops.mul(d, k(0.5)), y)),
  Reciprocal: unary(({ ops, d, y }) => ops.neg(ops.mul(d, ops.mul(y, y)))),
  Sin: unary(({ ops, d, x }) => ops.mul(d, ops.op('Cos', [x]))),
  Cos: unary(({ ops, d, x }) => ops.neg(ops.mul(d, ops.op('Sin', [x])))),
  Erf: unary(({ ops, d, x, k }) =>
    ops.mul(d, ops.mul(k(2 / Math.sqrt(Math.PI)), ops.op('Exp', [ops.neg(ops.mul(x, x))]))),
  ),
  Tanh: unary(({ ops, d, y, k }) => ops.mul(d, ops.sub(k(1), ops.mul(y, y)))),
  Sigmoid: unary(({ ops, d, y, k }) => ops.mul(d, ops.mul(y, ops.sub(k(1), y)))),
  Softplus: unary(({ ops, d, x }) => ops.mul(d, ops.op('Sigmoid', [x]))),
  Softsign: unary(({ ops, d, x, k }) => {
    const denominator = ops.add(k(1), ops.op('Abs', [x]));
    return ops.div(d, ops.mul(denominator, denominator));
  }),
  Relu: unary(({ ops, d, y, k, where }) =>
    ops.rectified.get(d) === y ? d : ops.mul(d, where('Greater', y, k(0))),
  ),
  LeakyRelu: unary((c) => leaky(c, c.k(floatAttribute(c.node, 'alpha', 0.01)))),
  Elu: unary((c) => exponentialLinear(c, floatAttribute(c.node, 'alpha', 1), 1)),
  Selu: unary((c) =>
    exponentialLinear(
      c,
      floatAttribute(c.node, 'alpha', 1.6732631921768188),
      floatAttribute(c.node, 'gamma', 1.0507010221481323),
    ),
  ),
  HardSigmoid: unary((c) => {
    const alpha = floatAttribute(c.node, 'alpha', 0.2);
    const beta = floatAttribute(c.node, 'beta', 0.5);
    return inside(c, -beta / alpha, (1 - beta) / alpha, alpha);
  }),
  /** x·min(max(x/6 + 1/2, 0), 1): slope x/3 + 1/2 in (-3, 3), 1 above. */
  HardSwish: unary((c) => {
    const { ops, k, x, where } = c;
    const above = where('Greater', x, k(3));
    const between = ops.mul(where('Greater', x, k(-3)), ops.sub(k(1), above));
    const slope = ops.add(ops.mul(x, k(1 / 3)), k(0.5));
    return ops.mul(c.d, ops.add(above, ops.mul(between, slope)));
  }),
  Gelu: unary(({ node, ops, d, x, k }) => {
    const isTanh = stringAttribute(node, 'approximate', 'none') === 'tanh';
    return ops.mul(d, isTanh ? geluTanh(ops, x, k) : geluExact(ops, x, k));
  }),
  /** Only between floating-point types; a cast to an integer ends the path before it comes here. */
  Cast: (c) => [() => c.ops.cast(c.d, c.dtypeOf(c.inputs[0]!))],
  /** The gradient passes where x lies strictly between the bounds. */
  Clip: unary(({ inputs, ops, d, x, where }) => {
    const [, low = '', high = ''] = inputs;
    const above = low === '' ? d : ops.mul(d, where('Greater', x, low));
    return high === '' ? above : ops.mul(above, where('Less', x, high));
  }),
  /** As exported for inference, where it does nothing. */
  Dropout: (c) => {
    const training = c.inputs[2] ?? '';
    const isOff = training === '' || c.constant(training)?.data[0] === 0;
    if (!isOff) throw c.unsupported('training_mode must be false');
    return [() => c.d];
  },
  PRelu: (c) => {
    const { ops, d, inputs, outputs, dtype } = c;
    const [x, slope] = inputs as [string, string];
    const negative = () => ops.indicator(ops.op('Less', [x, ops.scalar(dtype, 0)]), dtype);
    return [
      () => {
        const mask = negative();
        const factor = ops.add(ops.sub(ops.scalar(dtype, 1), mask), ops.mul(mask, slope));
        return ops.mul(d, factor);
      },
      () => ops.unbroadcast(ops.mul(d, ops.mul(negative(), x)), c.shape(outputs[0]!), c.shape(slope)),
    ];
  },
  CumSum: (c) => {
    const exclusive = intAttribute(c.node, 'exclusive', 0);
    const reverse = 1 - intAttribute(c.node, 'reverse', 0);
    return [() => c.ops.op('CumSum', [c.d, c.inputs[1]!], { exclusive, reverse })];
  },
};
