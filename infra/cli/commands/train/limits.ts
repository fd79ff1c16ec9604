/** A job's deadline and budget, as options. */
import type { Command } from 'commander';
import type { Limits } from '../../../../core/contracts/limits.ts';
import { decimal, wholeNumber } from '../options.ts';

const AMOUNT = decimal(0, 1e9);

export interface LimitOptions {
  readonly deadline?: number;
  readonly budgetSeconds?: number;
  readonly budgetRequests?: number;
  readonly budgetDollars?: number;
}

export function withLimits(command: Command): Command {
  return command
    .option('--deadline <seconds>', 'stop after so long', wholeNumber(1, 31_536_000))
    .option('--budget-seconds <n>', 'stop when functions have run for so many seconds', AMOUNT)
    .option('--budget-requests <n>', 'stop after so many requests', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--budget-dollars <n>', 'stop when so much is spent, by list prices', AMOUNT);
}

/** Only what was given. */
export function limitsOf(options: LimitOptions): Limits {
  const budget = {
    ...(options.budgetSeconds === undefined ? {} : { functionSeconds: options.budgetSeconds }),
    ...(options.budgetRequests === undefined ? {} : { requests: options.budgetRequests }),
    ...(options.budgetDollars === undefined ? {} : { dollars: options.budgetDollars }),
  };
  return {
    ...(options.deadline === undefined ? {} : { deadlineSeconds: options.deadline }),
    ...(Object.keys(budget).length === 0 ? {} : { budget }),
  };
}
