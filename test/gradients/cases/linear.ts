import { type Case, param } from './operands.ts';

export const LINEAR: readonly Case[] = [
  { op: 'Gemm', operands: [param(2, 3), param(3, 4), param(4)] },
  { op: 'Gemm', about: 'without bias', operands: [param(2, 3), param(3, 4)] },
  ...[
    { transA: 0, transB: 1 },
    { transA: 1, transB: 0 },
    { transA: 1, transB: 1 },
  ].map(({ transA, transB }): Case => ({
    op: 'Gemm',
    about: `transposed ${transA}${transB}, scaled`,
    operands: [
      transA === 1 ? param(3, 2) : param(2, 3),
      transB === 1 ? param(4, 3) : param(3, 4),
      param(2, 1),
    ],
    attributes: { transA, transB, alpha: { float: 0.7 }, beta: { float: -1.3 } },
  })),
  ...[
    [
      [2, 3],
      [3, 4],
    ],
    [
      [2, 2, 3],
      [3, 4],
    ],
    [
      [2, 2, 3],
      [2, 3, 2],
    ],
    [
      [2, 1, 2, 3],
      [2, 3, 2],
    ],
    [
      [2, 3],
      [2, 3, 2],
    ],
    [[3], [3]],
    [[3], [3, 2]],
    [[2, 3], [3]],
    [[3], [2, 3, 2]],
    [[2, 2, 3], [3]],
  ].map(([a = [], b = []]): Case => ({
    op: 'MatMul',
    about: `[${a.join()}] by [${b.join()}]`,
    operands: [param(...a), param(...b)],
  })),
];
