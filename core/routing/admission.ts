/**
 * Admission control: a request that no target is predicted to answer in time, or that no target has room for, is
 * refused at once. To try it all the same costs those behind it their answer and brings nothing (Beyer et al. 2016,
 * "Site Reliability Engineering", chapters 21, 22: reject early; Envoy, "Admission control").
 *
 * A prediction that nobody tests would refuse for ever: where a target is idle and the model has not answered there for
 * a while, the request finds out.
 */
import { predict, type RouteRequest, type TargetSnapshot } from './policy.ts';
import { isUsual } from './variants.ts';

/** Milliseconds that a refusal may rest on what was learned before. */
export const BELIEVED_MS = 10_000;
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

/** Idle, and its prediction is from long ago, or of a cold start: it may be wrong. */
function isWorthATry({ inFlight, answeredAt }: TargetSnapshot, now: number): boolean {
  return inFlight === 0 && (answeredAt === null || now - answeredAt > BELIEVED_MS);
}

/**
 * @param open what the request leaves to choose from; those that are ejected have no say
 * @returns undefined where the request may go on
 */
export function refusal(
  { deadlineMs }: Pick<RouteRequest, 'deadlineMs'>,
  open: readonly TargetSnapshot[],
  now: number,
): Refusal | undefined {
  let soonest = Infinity;
  let kind: Refusal['kind'] | undefined;
  for (const target of open) {
    if (target.health === 'ejected') continue;
    if (isFull(target)) {
      kind ??= 'full';
      continue;
    }
    if (isInTime(target, deadlineMs) || isWorthATry(target, now)) return undefined;
    kind = 'late';
    soonest = Math.min(soonest, (predict(target).predictedMs ?? Infinity) - deadlineMs);
  }
  if (kind === undefined) return undefined;
  const wait = Number.isFinite(soonest) ? soonest : LEAST_RETRY_MS;
  return { kind, retryAfterMs: Math.min(MOST_RETRY_MS, Math.max(LEAST_RETRY_MS, wait)) };
}
