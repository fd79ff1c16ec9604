/** Mathematical functions of one tensor, element by element. */
import type { RuleContext, RuleTable } from '../rule.ts';
import { unary, type Unary } from './unary.ts';

/** d/√radicand: the inverse functions of sine, cosine and their hyperbolic sisters. */
function overRoot({ ops, d }: RuleContext, radicand: string): string {
  return ops.div(d, ops.op('Sqrt', [radicand]));
}

const square = ({ ops, x }: Unary) => ops.mul(x, x);

/** The sum of the gradient over the elements of x on one side of a scalar bound, in the bound's shape. */
function beyond(c: RuleContext, bound: number, comparison: 'Greater' | 'Less'): string {
  const { ops, d, dtype } = c;
  const [x, limit] = [c.inputs[0]!, c.inputs[bound]!];
  const outside = ops.indicator(ops.op(comparison, [x, limit]), dtype);
  const total = ops.op('ReduceSum', [ops.mul(d, outside)], { keepdims: 0 });
  return ops.like(total, limit, c.shape(limit));
}

export const ELEMENTWISE: RuleTable = {
  Identity: (c) => [() => c.d],
  Neg: unary(({ ops, d }) => ops.neg(d)),
  Abs: unary(({ ops, d, x }) => ops.mul(d, ops.op('Sign', [x]))),
  Exp: unary(({ ops, d, y }) => ops.mul(d, y)),
  Log: unary(({ ops, d, x }) => ops.div(d, x)),
  Sqrt: unary(({ ops, d, y, k }) => ops.div(ops.mul(d, k(0.5)), y)),
  Reciprocal: unary(({ ops, d, y }) => ops.neg(ops.mul(d, ops.mul(y, y)))),
  Erf: unary(({ ops, d, x, k }) =>
    ops.mul(d, ops.mul(k(2 / Math.sqrt(Math.PI)), ops.op('Exp', [ops.neg(ops.mul(x, x))]))),
  ),
  Sin: unary(({ ops, d, x }) => ops.mul(d, ops.op('Cos', [x]))),
  Cos: unary(({ ops, d, x }) => ops.neg(ops.mul(d, ops.op('Sin', [x])))),
  Tan: unary(({ ops, d, y, k }) => ops.mul(d, ops.add(k(1), ops.mul(y, y)))),
  Asin: unary((c) => overRoot(c, c.ops.sub(c.k(1), square(c)))),
  Acos: unary((c) => c.ops.neg(overRoot(c, c.ops.sub(c.k(1), square(c))))),
  Atan: unary((c) => c.ops.div(c.d, c.ops.add(c.k(1), square(c)))),
  Sinh: unary(({ ops, d, x }) => ops.mul(d, ops.op('Cosh', [x]))),
  Cosh: unary(({ ops, d, x }) => ops.mul(d, ops.op('Sinh', [x]))),
  Asinh: unary((c) => overRoot(c, c.ops.add(square(c), c.k(1)))),
  Acosh: unary((c) => overRoot(c, c.ops.sub(square(c), c.k(1)))),
  Atanh: unary((c) => c.ops.div(c.d, c.ops.sub(c.k(1), square(c)))),
  Tanh: unary(({ ops, d, y, k }) => ops.mul(d, ops.sub(k(1), ops.mul(y, y)))),
  /** Only between floating-point types; a cast to an integer ends the path before it comes here. */
  Cast: (c) => [() => c.ops.cast(c.d, c.dtypeOf(c.inputs[0]!))],
  CastLike: (c) => [() => c.ops.cast(c.d, c.dtypeOf(c.inputs[0]!))],
  /** The gradient passes where x lies strictly between the bounds; beyond one it is the bound's. */
  Clip: (c) => {
    const [, low = '', high = ''] = c.inputs;
    const inside = unary(({ ops, d, x, where }) => {
      const above = low === '' ? d : ops.mul(d, where('Greater', x, low));
      return high === '' ? above : ops.mul(above, where('Less', x, high));
    });
    return [...inside(c), () => beyond(c, 1, 'Less'), () => beyond(c, 2, 'Greater')];
  },
};
