import { type Case, int, ints, param } from './operands.ts';

export const LOSS: readonly Case[] = [
  { op: 'SoftmaxCrossEntropyLoss', operands: [param(3, 4), int(0, 3, 1)] },
  {
    op: 'SoftmaxCrossEntropyLoss',
    about: 'sum over positions, one ignored',
    operands: [param(2, 3, 2), ints([2, 2], 0, 2, -1, 1)],
    attributes: { reduction: 'sum', ignore_index: -1 },
  },
  {
    op: 'SoftmaxCrossEntropyLoss',
    about: 'mean of those not ignored',
    operands: [param(3, 4), int(0, 2, 1)],
    attributes: { ignore_index: 2 },
  },
  {
    op: 'SoftmaxCrossEntropyLoss',
    about: 'each by itself',
    operands: [param(3, 4), int(0, 2, 1)],
    attributes: { reduction: 'none' },
  },
  { op: 'NegativeLogLikelihoodLoss', operands: [param(3, 4), int(0, 3, 1)] },
  {
    op: 'NegativeLogLikelihoodLoss',
    about: 'positions',
    operands: [param(2, 3, 2), ints([2, 2], 0, 2, 1, 1)],
    attributes: { reduction: 'sum' },
  },
];
