import { type Case, param } from './operands.ts';

export const NORMALIZE: readonly Case[] = [
  { op: 'Softmax', operands: [param(2, 4)] },
  { op: 'Softmax', about: 'inner axis', operands: [param(2, 3, 2)], attributes: { axis: 1 } },
  { op: 'LogSoftmax', operands: [param(2, 4)] },
  { op: 'LayerNormalization', operands: [param(2, 3, 4), param(4), param(4)] },
  {
    op: 'LayerNormalization',
    about: 'two axes',
    operands: [param(2, 3, 4), param(3, 4)],
    attributes: { axis: 1 },
  },
];
