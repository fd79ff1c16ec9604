import { type Case, chosen, constant, ints, none, param, positive, single, unary } from './operands.ts';

export const ELEMENTWISE: readonly Case[] = [
  ...['Identity', 'Neg', 'Abs', 'Exp', 'Reciprocal', 'Sin', 'Cos'].map((op) => unary(op)),
  ...['Tanh', 'Sigmoid', 'Relu'].map((op) => unary(op)),
  ...['Erf', 'Softplus', 'Softsign', 'LeakyRelu', 'Elu', 'Selu', 'Gelu'].map((op) => single(unary(op))),
  unary('Log', positive(2, 3)),
  unary('Sqrt', positive(2, 3)),
  single(unary('Elu', param(2, 5), { alpha: { float: 1.7 } })),
  single(unary('LeakyRelu', param(2, 5), { alpha: { float: 0.3 } })),
  single(unary('HardSigmoid', chosen(-4, -2, 0.5, 2, 4))),
  single(unary('HardSwish', chosen(-4, -2, 0.5, 2, 4))),
  unary('Gelu', param(2, 5), { approximate: 'tanh' }),
  unary('Dropout'),
  { op: 'Cast', operands: [param(2, 2)], attributes: { to: 1 } },
  { op: 'Clip', about: 'both bounds', operands: [chosen(-2, -0.5, 0.5, 2), constant(-1), constant(1)] },
  { op: 'Clip', about: 'upper only', operands: [chosen(-2, -0.5, 0.5, 2), none, constant(1)] },
  single({ op: 'PRelu', operands: [param(2, 3), param(3)] }),
  { op: 'CumSum', operands: [param(3, 2), ints([], 0)] },
  { op: 'CumSum', about: 'exclusive', operands: [param(3), ints([], 0)], attributes: { exclusive: 1 } },
  { op: 'CumSum', about: 'reverse', operands: [param(3), ints([], 0)], attributes: { reverse: 1 } },
];
