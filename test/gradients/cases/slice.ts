import { type Case, int, none, param, symbolic } from './operands.ts';

/** Every start, end and step of a small range, on an axis of 4: ends beyond it and counted backwards too. */
const every = [-9, -3, 0, 2, 9].flatMap((start) =>
  [-9, -2, 1, 3, 9].flatMap((end) =>
    [-3, -2, -1, 1, 2, 3].flatMap((step): Case[] => {
      const wrap = (index: number) => (index < 0 ? index + 4 : index);
      const [low, high] = step > 0 ? [0, 4] : [-1, 3];
      const [from, to] = [start, end].map((index) => Math.min(Math.max(wrap(index), low), high)) as [
        number,
        number,
      ];
      const isEmpty = step > 0 ? to <= from : to >= from;
      if (isEmpty) return [];
      const about = `[${start}:${end}:${step}]`;
      return [{ op: 'Slice', about, operands: [param(4), int(start), int(end), int(0), int(step)] }];
    }),
  ),
);

export const SLICE: readonly Case[] = [
  { op: 'Slice', operands: [param(4, 5), int(1, -3), int(3, -1), int(0, 1)] },
  { op: 'Slice', about: 'axes left out', operands: [param(4, 5), int(1, 2), int(3, 9)] },
  {
    op: 'Slice',
    about: 'several steps',
    operands: [param(4, 5, 3), int(3, 0, 1), int(-9, 9, 2), int(0, -2, 2), int(-2, 2, 1)],
  },
  {
    op: 'Slice',
    about: 'steps without axes',
    operands: [param(4, 5), int(0, 4), int(4, 0), none, int(2, -3)],
  },
  ...every,
  ...every.filter((_, i) => i % 3 === 0).map(symbolic),
  symbolic({
    op: 'Slice',
    about: 'two axes',
    operands: [param(4, 5), int(1, -1), int(3, -9), int(0, 1), int(1, -2)],
  }),
];
