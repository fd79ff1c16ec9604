import { type Case, int, none, param } from './operands.ts';

/** Before and after on each of two axes. */
const AMOUNTS = [
  [0, 1, 0, 0],
  [2, 0, 1, 2],
  [1, 2, 2, 3],
];

export const PAD: readonly Case[] = [
  { op: 'Pad', operands: [param(2, 3), int(1, 0, 0, 2)] },
  { op: 'Pad', about: 'cropping, axes', operands: [param(2, 3), int(-1, 2), none, int(1)] },
  ...['edge', 'reflect', 'wrap'].flatMap((mode) => [
    ...AMOUNTS.map((amounts): Case => ({
      op: 'Pad',
      about: `${mode} ${amounts.join()}`,
      operands: [param(3, 4), int(...amounts)],
      attributes: { mode },
    })),
    {
      op: 'Pad',
      about: `${mode}, axes`,
      operands: [param(1, 3, 4), int(1, 2, 0, 1), none, int(-1, 1)],
      attributes: { mode },
    },
  ]),
  // The only cases longer than what they copy.
  { op: 'Pad', about: 'edge, far', operands: [param(2), int(3, 4)], attributes: { mode: 'edge' } },
  { op: 'Pad', about: 'edge, one element', operands: [param(1), int(1, 2)], attributes: { mode: 'edge' } },
];
