/** Is a job's time up, or its budget spent? Of every kind of job alike. Pure. */
import type { LimitName, Limits } from '../contracts/limits.ts';
import type { Spent } from '../contracts/usage.ts';
import { requestsOf } from '../costs/usage.ts';
import type { ControlState } from './control.ts';

/** What a job may take, and from when on. */
export interface InForce {
  readonly limits: Limits;
  /** Unix time in milliseconds at which the deadline began to count. */
  readonly since: number;
}

/** The spec's limits, with what redrives said in their place. */
export function inForce(
  { spec, acceptedAt }: { readonly spec: Limits; readonly acceptedAt: string },
  { limits, redrivenAt }: Pick<ControlState, 'limits' | 'redrivenAt'>,
): InForce {
  const { deadlineSeconds, budget } = { ...spec, ...limits };
  return { limits: { deadlineSeconds, budget }, since: Date.parse(redrivenAt ?? acceptedAt) };
}

/** Seconds until the deadline, at least one; Infinity without one. */
export function untilDeadline({ limits: { deadlineSeconds }, since }: InForce, now: number): number {
  if (deadlineSeconds === undefined) return Infinity;
  return Math.max(1, Math.ceil((since - now) / 1000 + deadlineSeconds));
}

export interface ReachedLimit {
  readonly limit: LimitName;
  /** For people: what was allowed, what was reached. */
  readonly reason: string;
}

/** Four digits, for people. */
export const figure = (value: number) => String(Number(value.toPrecision(4)));

/** A budget that is spent: what was allowed, what was used. */
interface Overspent {
  readonly limit: Exclude<LimitName, 'deadline'>;
  readonly unit: string;
  readonly allowed: number;
  readonly used: number;
}

/** The first of a job's budgets that is spent. */
export function overspent({ budget = {} }: Pick<Limits, 'budget'>, spent: Spent): Overspent | undefined {
  const amounts = [
    ['functionSeconds', spent.functionSeconds, 'function-seconds'],
    ['requests', requestsOf(spent), 'requests'],
    ['dollars', spent.dollars, 'dollars'],
  ] as const;
  for (const [limit, used, unit] of amounts) {
    const allowed = budget[limit];
    if (allowed !== undefined && used >= allowed) return { limit, unit, allowed, used };
  }
  return undefined;
}

/**
 * @param now Unix time in milliseconds
 * @param spent what is known to be spent, undefined where only the time is asked about
 */
export function reachedLimit(
  { limits, since }: InForce,
  now: number,
  spent?: Spent,
): ReachedLimit | undefined {
  const { deadlineSeconds } = limits;
  if (deadlineSeconds !== undefined && now >= since + deadlineSeconds * 1000)
    return { limit: 'deadline', reason: `the deadline of ${deadlineSeconds} s has passed` };
  const over = spent && overspent(limits, spent);
  if (over === undefined) return undefined;
  const { limit, unit, allowed, used } = over;
  return {
    limit,
    reason: `the budget of ${figure(allowed)} ${unit} is spent: ${figure(used)} were used`,
  };
}

/** @returns the field of the first limit that is given and is another than that in force */
export function differingLimit(given: Limits, inForce: Limits): string | undefined {
  const { deadlineSeconds, budget } = given;
  if (deadlineSeconds !== undefined && deadlineSeconds !== inForce.deadlineSeconds) return 'deadlineSeconds';
  if (budget === undefined) return undefined;
  // A budget that is given replaces the whole one.
  const names = ['functionSeconds', 'requests', 'dollars'] as const;
  const differs = names.find((name) => budget[name] !== inForce.budget?.[name]);
  return differs && `budget.${differs}`;
}
