import { type Case, distinct, given, int, positive, reduction, symbolic } from './operands.ts';

export const REDUCE: readonly Case[] = [
  ...[
    'ReduceSum',
    'ReduceMean',
    'ReduceSumSquare',
    'ReduceL1',
    'ReduceL2',
    'ReduceLogSumExp',
    'ReduceProd',
  ].flatMap((op) => reduction(op)),
  ...['ReduceMax', 'ReduceMin'].flatMap((op) => reduction(op, distinct)),
  ...reduction('ReduceLogSum', positive),
  ...[
    'ReduceSum',
    'ReduceMean',
    'ReduceMax',
    'ReduceProd',
    'ReduceSumSquare',
    'ReduceL1',
    'ReduceL2',
    'ReduceLogSum',
    'ReduceLogSumExp',
  ].flatMap((op) => reduction(op, op === 'ReduceLogSum' ? positive : distinct).map(symbolic)),
  {
    op: 'ReduceProd',
    about: 'no zero, one and two of them',
    operands: [given([3, 3], 1.5, -2, 0.5, 0, 3, -1, 0, 0, 2), int(1)],
    attributes: { keepdims: 0 },
  },
];
