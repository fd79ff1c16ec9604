/** Activation functions. */
import { floatAttribute, stringAttribute } from '../../onnx/attributes.ts';
import type { Ops } from '../ops.ts';
import type { RuleTable } from '../rule.ts';
import { unary, type Unary } from './unary.ts';

/** d where x > 0, d·slope elsewhere. */
function leaky({ ops, d, x, k, where }: Unary, slope: number): string {
  const positive = where('Greater', x, k(0));
  return ops.mul(d, ops.add(ops.mul(positive, k(1 - slope)), k(slope)));
}

/** γ·x for x > 0, γ·α(exp(x/β) − 1) elsewhere: Elu, Selu and Celu. There y + γα = γα·exp(x/β). */
function exponentialLinear(c: Unary, alpha: number, gamma: number, beta: number): string {
  const { ops, k, x, y } = c;
  const positive = c.where('Greater', x, k(0));
  const slope = ops.add(y, k(gamma * alpha));
  const tail = ops.mul(ops.sub(k(1), positive), beta === 1 ? slope : ops.mul(slope, k(1 / beta)));
  return ops.mul(c.d, ops.add(ops.mul(positive, k(gamma)), tail));
}

/** d·slope inside an open interval of x, 0 outside. */
function inside({ ops, d, x, k, where }: Unary, low: number, high: number, slope: number): string {
  const mask = ops.mul(where('Greater', x, k(low)), where('Less', x, k(high)));
  return ops.mul(d, ops.mul(mask, k(slope)));
}

/**
 * Φ(x) + x·φ(x): the derivative of x·Φ(x) (Hendrycks & Gimpel 2016, arXiv:1606.08415). A HardSigmoid whose input stays
 * within its straight part is (1 + erf)/2 in one pass over memory instead of two.
 */
function geluExact(ops: Ops, x: string, k: Unary['k']): string {
  const scaled = ops.mul(x, k(Math.SQRT1_2));
  const half = { float: 0.5 };
  const cdf = ops.op('HardSigmoid', [ops.op('Erf', [scaled])], { alpha: half, beta: half });
  const bell = ops.op('Exp', [ops.neg(ops.mul(scaled, scaled))]);
  return ops.add(cdf, ops.mul(ops.mul(scaled, bell), k(1 / Math.sqrt(Math.PI))));
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

export const ACTIVATION: RuleTable = {
  Sigmoid: unary(({ ops, d, y, k }) => ops.mul(d, ops.mul(y, ops.sub(k(1), y)))),
  Softplus: unary(({ ops, d, x }) => ops.mul(d, ops.op('Sigmoid', [x]))),
  Softsign: unary(({ ops, d, x, k }) => {
    const denominator = ops.add(k(1), ops.op('Abs', [x]));
    return ops.div(d, ops.mul(denominator, denominator));
  }),
  Relu: unary(({ ops, d, y, dtype }) => (ops.rectified.get(d) === y ? d : ops.mul(d, ops.step(y, dtype)))),
  LeakyRelu: unary((c) => leaky(c, floatAttribute(c.node, 'alpha', 0.01))),
  ThresholdedRelu: unary((c) => {
    const { ops, d, x, k, where } = c;
    return ops.mul(d, where('Greater', x, k(floatAttribute(c.node, 'alpha', 1))));
  }),
  Elu: unary((c) => exponentialLinear(c, floatAttribute(c.node, 'alpha', 1), 1, 1)),
  Celu: unary((c) => {
    const alpha = floatAttribute(c.node, 'alpha', 1);
    return exponentialLinear(c, alpha, 1, alpha);
  }),
  Selu: unary((c) =>
    exponentialLinear(
      c,
      floatAttribute(c.node, 'alpha', 1.6732631921768188),
      floatAttribute(c.node, 'gamma', 1.0507010221481323),
      1,
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
  /** x·tanh(softplus(x)) (Misra 2019, arXiv:1908.08681): with t the tanh, t + x·σ(x)(1 − t²). */
  Mish: unary(({ ops, d, x, k }) => {
    const t = ops.op('Tanh', [ops.op('Softplus', [x])]);
    const bend = ops.mul(ops.op('Sigmoid', [x]), ops.sub(k(1), ops.mul(t, t)));
    return ops.mul(d, ops.add(t, ops.mul(x, bend)));
  }),
  Gelu: unary(({ node, ops, d, x, k }) => {
    const isTanh = stringAttribute(node, 'approximate', 'none') === 'tanh';
    return ops.mul(d, isTanh ? geluTanh(ops, x, k) : geluExact(ops, x, k));
  }),
};
