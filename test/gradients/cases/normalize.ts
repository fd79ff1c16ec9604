import { type Case, param, single, symbolic } from './operands.ts';

export const NORMALIZE: readonly Case[] = [
  ...['Softmax', 'LogSoftmax'].flatMap((op) => [
    ...[0, 1, 2, -1].map((axis): Case => ({
      op,
      about: `axis ${axis}`,
      operands: [param(2, 3, 2)],
      attributes: { axis },
    })),
    { op, about: 'by default', operands: [param(2, 4)] },
    symbolic({ op, operands: [param(2, 4)] }),
  ]),
  { op: 'LayerNormalization', operands: [param(2, 3, 4), param(4), param(4)] },
  {
    op: 'LayerNormalization',
    about: 'two axes',
    operands: [param(2, 3, 4), param(3, 4)],
    attributes: { axis: 1 },
  },
  symbolic({ op: 'LayerNormalization', operands: [param(2, 3, 4), param(4), param(4)] }),
  ...[1, 2].flatMap((p) =>
    [0, -1].map((axis): Case => ({
      op: 'LpNormalization',
      about: `p ${p}, axis ${axis}`,
      operands: [param(3, 4)],
      attributes: { p, axis },
    })),
  ),
  ...[1, 3, 5].map((size) =>
    single({
      op: 'LRN',
      about: `${size} channels`,
      operands: [param(2, 5, 1, 2)],
      attributes: { size, alpha: { float: 0.9 }, beta: { float: 0.6 }, bias: { float: 0.8 } },
    }),
  ),
];
