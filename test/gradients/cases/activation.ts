import { type Case, chosen, param, single, unary } from './operands.ts';

export const ACTIVATION: readonly Case[] = [
  ...['Sigmoid', 'Relu'].map((op) => unary(op)),
  ...['Softplus', 'Softsign', 'LeakyRelu', 'Elu', 'Celu', 'Selu', 'Gelu', 'Mish'].map((op) =>
    single(unary(op)),
  ),
  single(unary('Elu', param(2, 5), { alpha: { float: 1.7 } })),
  single(unary('Celu', param(2, 5), { alpha: { float: 1.7 } })),
  single(unary('Selu', param(2, 5), { alpha: { float: 1.1 }, gamma: { float: 0.8 } })),
  single(unary('LeakyRelu', param(2, 5), { alpha: { float: 0.3 } })),
  single(unary('ThresholdedRelu', chosen(-2, -0.5, 0.5, 2))),
  single(unary('ThresholdedRelu', chosen(-2, -0.5, 0.5, 2), { alpha: { float: -1 } })),
  single(unary('HardSigmoid', chosen(-4, -2, 0.5, 2, 4))),
  single(unary('HardSigmoid', chosen(-4, -1, 0.1, 1, 4), { alpha: { float: 0.4 }, beta: { float: 0.3 } })),
  single(unary('HardSwish', chosen(-4, -2, 0.5, 2, 4))),
  unary('Gelu', param(2, 5), { approximate: 'tanh' }),
];
