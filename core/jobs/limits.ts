/** Is a job's time up, or its budget spent? Pure. */
import type { LimitName, Limits } from '../contracts/limits.ts';
import type { Spent } from '../contracts/usage.ts';
import { requestsOf } from '../costs/usage.ts';

export interface ReachedLimit {
  readonly limit: LimitName;
  /** For people: what was allowed, what was reached. */
  readonly reason: string;
}

const figure = (value: number) => String(Number(value.toPrecision(4)));

/**
 * @param since Unix time in milliseconds at which the deadline began to count
 * @param spent what is known to be spent, undefined where only the time is asked about
 */
export function reachedLimit(
  { deadlineSeconds, budget = {} }: Limits,
  { since, now, spent }: { readonly since: number; readonly now: number; readonly spent?: Spent },
): ReachedLimit | undefined {
  if (deadlineSeconds !== undefined && now >= since + deadlineSeconds * 1000)
    return { limit: 'deadline', reason: `the deadline of ${deadlineSeconds} s has passed` };
  if (spent === undefined) return undefined;
  const amounts = [
    ['functionSeconds', spent.functionSeconds, 'function-seconds'],
    ['requests', requestsOf(spent), 'requests'],
    ['dollars', spent.dollars, 'dollars'],
  ] as const;
  for (const [limit, used, unit] of amounts) {
    const allowed = budget[limit];
    if (allowed !== undefined && used >= allowed)
      return {
        limit,
        reason: `the budget of ${figure(allowed)} ${unit} is spent: ${figure(used)} were used`,
      };
  }
  return undefined;
}
