/**
 * Hedged requests (Dean & Barroso 2013, "The tail at scale", CACM 56(2)): when an attempt has taken longer than 95 of
 * 100 such requests would, the same request goes to a second target, and the first answer is the answer. A budget
 * bounds what that costs, and hedging switches itself off where it would add load to targets that have enough of it.
 */
import { predict, type Prediction, type RouteRequest, type TargetSnapshot } from './policy.ts';

/** Hedges per request in the long run. */
export const HEDGE_SHARE = 0.05;
/** Hedges that may be saved up. */
const SAVED = 10;
/** Milliseconds and share that an answer may be later than predicted without being late: a clock's tick, a jitter. */
const MARGIN_MS = 1;
const MARGIN = 0.25;

/** Hedges that may be sent now. */
export type Budget = number;

/** Half of what may be saved: a new isolate may hedge, but not all at once. */
export const INITIAL_BUDGET: Budget = SAVED / 2;
export const earned = (budget: Budget): Budget => Math.min(SAVED, budget + HEDGE_SHARE);
export const canSpend = (budget: Budget): boolean => budget >= 1;
export const spent = (budget: Budget): Budget => budget - 1;

/**
 * Milliseconds after which the request is worth a second attempt: the 95th percentile while there is budget, twice that
 * when there is hardly any, so that what is left is kept for the latest.
 * @returns null where nothing is predicted: then nothing is late
 */
export function hedgeAfterMs({ predictedMs, p95Ms }: Prediction, budget: Budget): number | null {
  if (predictedMs === null || p95Ms === null) return null;
  const scarcity = 1 - Math.max(0, budget) / SAVED;
  return Math.max(p95Ms, predictedMs * (1 + MARGIN)) * (1 + scarcity) + MARGIN_MS;
}

/** Why a target gets no second attempt. */
export const OBSTACLES = ['ejected', 'half-open', 'no-lane-free', 'unknown', 'late'] as const;
export type Obstacle = (typeof OBSTACLES)[number];

/** @param deadlineMs left of the request's deadline @returns undefined where it may get one */
export function obstacleOf(target: TargetSnapshot, deadlineMs: number): Obstacle | undefined {
  if (target.health !== 'healthy') return target.health;
  if (target.inFlight >= target.lanes) return 'no-lane-free';
  const { predictedMs } = predict(target);
  if (predictedMs === null) return 'unknown';
  return predictedMs > deadlineMs ? 'late' : undefined;
}

/**
 * The target for the second attempt, undefined where there is none that is idle enough: if it has to queue, so would
 * the work of others for it.
 * @param open eligible targets other than those tried
 * @param deadlineMs left of the request's deadline
 */
export function hedgeTarget(
  { deadlineMs }: RouteRequest,
  open: readonly TargetSnapshot[],
): TargetSnapshot | undefined {
  let best: TargetSnapshot | undefined;
  let least = deadlineMs;
  for (const each of open) {
    if (obstacleOf(each, least) !== undefined) continue;
    best = each;
    least = predict(each).predictedMs ?? least;
  }
  return best;
}
