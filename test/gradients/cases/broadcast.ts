import {
  binary,
  bool,
  type Case,
  chosen,
  constant,
  vector,
  given,
  int,
  param,
  positive,
  single,
  symbolic,
} from './operands.ts';

/** Every way two shapes of up to three axes are broadcast. */
const SHAPES: readonly (readonly [number[], number[]])[] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3]],
  [[3], [2, 3]],
  [
    [2, 1, 3],
    [4, 1],
  ],
  [
    [1, 3],
    [2, 1],
  ],
  [[], [2, 2]],
  [[2, 2], []],
  [[1], [2, 1, 2]],
  [[1, 1], [1]],
];

export const BROADCAST: readonly Case[] = [
  ...['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min'].flatMap(binary),
  ...['Mul', 'Div'].flatMap((op) =>
    SHAPES.map(([a, b]): Case => ({
      op,
      about: `[${a.join()}] by [${b.join()}]`,
      operands: [param(...a), param(...b)],
    })),
  ),
  ...['Add', 'Mul'].flatMap((op) =>
    SHAPES.map(([a, b]) =>
      symbolic({ op, about: `[${a.join()}] by [${b.join()}]`, operands: [param(...a), param(...b)] }),
    ),
  ),
  ...[-1, 0.5, 1, 2, 2.5, 3].map((exponent): Case => ({
    op: 'Pow',
    about: `the exponent ${exponent}`,
    operands: [positive(2, 3), constant(exponent)],
  })),
  { op: 'Pow', about: 'a negative base', operands: [param(2, 3), constant(3)] },
  { op: 'Pow', about: 'an integer exponent', operands: [chosen(-2, 0, 1.5), int(2)] },
  { op: 'Pow', about: 'zero to several powers', operands: [chosen(0, 0, 0), vector(1, 2, 3)] },
  {
    op: 'Pow',
    about: 'several exponents, one of them 0',
    operands: [chosen(-1.5, 0.7, 2), vector(2, 0, -1)],
  },
  { op: 'Pow', about: 'a learnt exponent', operands: [positive(2, 3), param(3)] },
  { op: 'Pow', about: 'a learnt exponent, base 0', operands: [chosen(0, 1.5), given([2], 2, 0.7)] },
  { op: 'Pow', about: 'a constant base', operands: [constant(2), param(2, 3)] },
  { op: 'Max', about: 'three', operands: [param(2, 3), param(3), param(1)] },
  { op: 'Min', about: 'one', operands: [param(2, 3)] },
  { op: 'Sum', operands: [param(2, 3), param(3), param(2, 1)] },
  { op: 'Sum', about: 'one', operands: [param(2, 3)] },
  single({ op: 'Mean', operands: [param(2, 3), param(3), param(2, 1)] }),
  { op: 'Where', operands: [bool([2, 3], 1, 0, 1, 0, 0, 1), param(2, 3), param(3)] },
  { op: 'Where', about: 'a masked scalar', operands: [bool([1, 3], 1, 0, 1), constant(-9), param(2, 3)] },
  {
    op: 'Where',
    about: 'stretched by the condition',
    operands: [bool([2, 3], 1, 0, 1, 0, 0, 1), param(3), param()],
  },
  symbolic({ op: 'Where', operands: [bool([2, 3], 1, 0, 1, 0, 0, 1), param(3), param(2, 1)] }),
  single({ op: 'PRelu', operands: [param(2, 3), param(3)] }),
  single({ op: 'PRelu', about: 'one slope per channel', operands: [param(2, 3, 2), param(3, 1)] }),
];
