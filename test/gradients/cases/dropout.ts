import { bool, type Case, constant, param, unary } from './operands.ts';

/** With a mask that changes from run to run there are no central differences: dropout.test.ts has those. */
export const DROPOUT: readonly Case[] = [
  unary('Dropout'),
  { op: 'Dropout', about: 'switched off', operands: [param(2, 5), constant(0.4), bool([], 0)] },
  { op: 'Dropout', about: 'dropping nothing', operands: [param(2, 5), constant(0), bool([], 1)] },
];
