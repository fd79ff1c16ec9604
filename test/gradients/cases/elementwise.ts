import {
  between,
  type Case,
  chosen,
  constant,
  given,
  none,
  param,
  positive,
  single,
  symbolic,
  unary,
} from './operands.ts';

export const ELEMENTWISE: readonly Case[] = [
  ...['Identity', 'Neg', 'Abs', 'Exp', 'Reciprocal', 'Sin', 'Cos', 'Tanh'].map((op) => unary(op)),
  ...['Erf', 'Atan', 'Sinh', 'Cosh', 'Asinh'].map((op) => single(unary(op))),
  ...['Tan', 'Asin', 'Acos', 'Atanh'].map((op) => single(unary(op, between(-0.9, 0.9, 2, 5)))),
  single(unary('Acosh', between(1.1, 3, 2, 5))),
  unary('Log', positive(2, 3)),
  unary('Sqrt', positive(2, 3)),
  { op: 'Cast', operands: [param(2, 2)], attributes: { to: 1 } },
  { op: 'CastLike', operands: [param(2, 2), constant(0)] },
  { op: 'Clip', about: 'both bounds', operands: [chosen(-2, -0.5, 0.5, 2), constant(-1), constant(1)] },
  { op: 'Clip', about: 'upper only', operands: [chosen(-2, -0.5, 0.5, 2), none, constant(1)] },
  { op: 'Clip', about: 'no bounds', operands: [param(2, 2)] },
  {
    op: 'Clip',
    about: 'learnt bounds',
    operands: [given([2, 3], -2, -3, -0.5, 0.5, 2, 3), given([], -1), given([], 1)],
  },
  symbolic({ op: 'Exp', operands: [param(2, 3)] }),
];
