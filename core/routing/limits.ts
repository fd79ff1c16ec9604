/** How a deadline is shared: what one attempt may take, so that another target can still answer after it. */
import { type Decision, predict, type RouteRequest, type TargetSnapshot } from './policy.ts';
import type { Place } from './targets.ts';
import { hostOf } from './variants.ts';

/** Milliseconds taken for a target of which nothing is known: the model loaded at the edge, a function's cold start. */
export const ASSUMED_MS: Readonly<Record<Place, number>> = { edge: 1_000, cloud: 3_000 };
/** An attempt is given up as hopeless after this multiple of its prediction, where another target waits. */
const PATIENCE = 4;
/** Milliseconds: least time a probe gets, and least that is kept for a fallback, if the deadline has it. */
const LEAST_PROBE_MS = 1_000;
const LEAST_RESERVE_MS = 250;

const assumed = (target: TargetSnapshot): number => predict(target).predictedMs ?? ASSUMED_MS[target.place];

/** A probe or trial is for the router, not for the client: it takes at most half of the deadline. */
const probeLimit = (ms: number, deadlineMs: number): number =>
  Math.min(deadlineMs / 2, Math.max(LEAST_PROBE_MS, PATIENCE * ms));

/**
 * Whether the client gets its answer in time even if the probe is lost: another target fits into what is left.
 * @param others those that would answer after it
 */
export function affordable(
  probed: TargetSnapshot,
  others: readonly TargetSnapshot[],
  deadlineMs: number,
): boolean {
  const left = deadlineMs - probeLimit(assumed(probed), deadlineMs);
  return others.some((other) => other !== probed && assumed(other) <= left);
}

/**
 * Milliseconds an attempt may take: all that is left, less what the next best target needs.
 * @param open the targets that may be asked for this request, the chosen one among them
 */
export function attemptLimit(
  decision: Decision,
  { deadlineMs }: RouteRequest,
  open: readonly TargetSnapshot[],
): number {
  const chosen = open.find(({ id }) => id === decision.target);
  const isProbe = decision.reason === 'probe' || decision.reason === 'trial';
  if (isProbe && chosen !== undefined) return probeLimit(assumed(chosen), deadlineMs);
  // The quickest of the others is enough.
  let reserve = Infinity;
  for (const other of open) {
    if (other === chosen || other.health === 'ejected') continue;
    // Where one variant is late, so is the other of the same isolate.
    if (chosen !== undefined && hostOf(other) === hostOf(chosen)) continue;
    const { predictedMs } = predict(other);
    const wanted = predictedMs === null ? deadlineMs / 2 : Math.max(LEAST_RESERVE_MS, PATIENCE * predictedMs);
    reserve = Math.min(reserve, wanted, deadlineMs / 2);
  }
  if (reserve === Infinity) return deadlineMs;
  const needed = decision.predictedMs === null ? 0 : Math.min(deadlineMs, 2 * decision.predictedMs);
  return Math.max(deadlineMs - reserve, needed);
}
