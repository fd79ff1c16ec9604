import { type Case, positive, reduction } from './operands.ts';

export const REDUCE: readonly Case[] = [
  ...['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin'].flatMap((op) => reduction(op)),
  ...['ReduceSumSquare', 'ReduceL1', 'ReduceL2', 'ReduceLogSumExp'].flatMap((op) => reduction(op)),
  ...reduction('ReduceLogSum', positive),
];
