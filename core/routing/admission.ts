/**
 * Admission control: a request that no target is predicted to answer in time, or that no target has room for, is
 * refused at once. To try it all the same costs those behind it their answer and brings nothing (Beyer et al. 2016,
 * "Site Reliability Engineering", chapters 21, 22: reject early; Envoy, "Admission control").
 *
 * A prediction that nobody tests would refuse for ever, however soon the target is quick again: about once a second one
 * of those that would be refused is sent all the same, to a target that has room for it, and is let finish there.
 */
import { least, predict, type RouteRequest, type TargetSnapshot } from './policy.ts';
import { isUsual } from './variants.ts';

/** Milliseconds between two tries of one target, at least and at most. */
export const TRY_EVERY_MS = 1_000;
export const BELIEVED_MS = 10_000;
/** Of the target's lanes no more may be taken by tries: those that are in time would wait for them. */
const TRIES_SHARE = 0.25;
/** Milliseconds that a try may take: a function's cold start, and less than what a Worker may do afterwards. */
export const TRY_LIMIT_MS = 20_000;
/** Milliseconds: less is not worth coming back for, and after more nothing of what is known now holds. */
const LEAST_RETRY_MS = 1_000;
const MOST_RETRY_MS = 30_000;

/** `full`: as many requests as may be are at every target; `late`: none is predicted to answer in time. */
export const REFUSALS = ['full', 'late'] as const;

export interface Refusal {
  readonly kind: (typeof REFUSALS)[number];
  /** When it is predicted to be otherwise. */
  readonly retryAfterMs: number;
}

export const isFull = ({ inFlight, limit }: TargetSnapshot): boolean => inFlight >= limit;

/**
 * Of the unknown nothing is predicted. An unusual variant may have to be loaded, which those wait for that are there:
 * one request finds out, no crowd.
 */
export function isInTime(target: TargetSnapshot, deadlineMs: number): boolean {
  const { predictedMs } = predict(target);
  if (predictedMs === null) return isUsual(target) || target.inFlight < target.lanes;
  return predictedMs <= deadlineMs;
}

/** One that would be late as far as it is known, and finds out. */
export interface Try {
  readonly kind: 'try';
  readonly target: TargetSnapshot;
}

/**
 * There is a lane for it, and the model was not heard of there, nor the target tried, since the last try would have
 * become old: the longer it takes, the later.
 */
function isWorthATry(target: TargetSnapshot, now: number): boolean {
  const { inFlight, lanes, answeredAt, copiedAt, parts, health, trialUnderWay } = target;
  if (inFlight >= lanes || parts === null || (health === 'half-open' && trialUnderWay)) return false;
  const ms = (parts.service + parts.cold) / (lanes * TRIES_SHARE);
  const believedMs = Math.min(BELIEVED_MS, Math.max(TRY_EVERY_MS, ms));
  return now - Math.max(answeredAt ?? -Infinity, copiedAt) >= believedMs;
}

/**
 * @param open what the request leaves to choose from; those that are ejected have no say
 * @returns undefined where the request may go on, to whatever target the policy says
 */
export function admission(
  { deadlineMs }: Pick<RouteRequest, 'deadlineMs'>,
  open: readonly TargetSnapshot[],
  now: number,
): Refusal | Try | undefined {
  let soonest = Infinity;
  let kind: Refusal['kind'] | undefined;
  const tries: TargetSnapshot[] = [];
  for (const target of open) {
    if (target.health === 'ejected') continue;
    if (isFull(target)) {
      kind ??= 'full';
      continue;
    }
    if (isInTime(target, deadlineMs)) return undefined;
    kind = 'late';
    if (isWorthATry(target, now)) tries.push(target);
    soonest = Math.min(soonest, (predict(target).predictedMs ?? Infinity) - deadlineMs);
  }
  if (kind === undefined) return undefined;
  if (tries.length > 0)
    return { kind: 'try', target: least(tries, (each) => predict(each).predictedMs ?? Infinity) };
  const wait = Number.isFinite(soonest) ? soonest : LEAST_RETRY_MS;
  return { kind, retryAfterMs: Math.min(MOST_RETRY_MS, Math.max(LEAST_RETRY_MS, wait)) };
}
