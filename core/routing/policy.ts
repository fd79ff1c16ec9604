/**
 * What a routing policy is: a pure function from the request and what is known of the targets to a decision with its
 * reason. It runs in the router as it does in a simulator: time and randomness are arguments.
 *
 * A policy only ranks: pins, ejections, half-open trials and fallbacks are the same for every policy and are applied
 * around it, in decide.ts.
 */
import type { TargetName } from './targets.ts';

/** Every reason there is; docs/routing.md says when each is given. */
export const REASONS = [
  'pinned',
  'only-target',
  'edge-faster',
  'cloud-faster',
  'edge-first',
  'no-estimate',
  'deadline',
  'probe',
  'trial',
  'edge-ejected',
  'cloud-ejected',
  'fallback',
] as const;
export type Reason = (typeof REASONS)[number];

export interface RouteRequest {
  readonly model: string;
  /** Of the payload. */
  readonly bytes: number;
  /** Asked for by the client; undefined: any. */
  readonly pin: TargetName | undefined;
  /** Milliseconds left until the client stops waiting. */
  readonly deadlineMs: number;
  /** Failed this very request already. */
  readonly failed: TargetName | undefined;
}

/** `half-open`: its ejection has run out, but nobody has seen it answer since. */
export type TargetHealth = 'healthy' | 'ejected' | 'half-open';

/** What a router isolate knows of one target, for one request. */
export interface TargetSnapshot {
  readonly target: TargetName;
  readonly health: TargetHealth;
  /** A half-open target has its one trial request under way. */
  readonly trialUnderWay: boolean;
  /** Requests that are there: sent and not yet answered, and those of others that it reported. */
  readonly inFlight: number;
  /** Requests it works on at the same time, at least 1; further ones queue. */
  readonly lanes: number;
  /** Milliseconds for this request on an idle target, the model loaded or not as expected there; null: unknown. */
  readonly latencyMs: number | null;
  /** When its latency was last learned, milliseconds on the clock of `now`; null: never. */
  readonly learnedAt: number | null;
}

/** One target and when it is predicted to answer: milliseconds from now, null where nothing is known. */
export interface Prediction {
  readonly target: TargetName;
  readonly predictedMs: number | null;
}

export interface Decision extends Prediction {
  readonly reason: Reason;
  /** What was weighed and not taken. */
  readonly alternatives: readonly Prediction[];
}

/**
 * @param targets at least one, all of them to be chosen from, the edge first
 * @param now milliseconds
 * @param random uniform in [0, 1)
 */
export type Policy = (
  request: RouteRequest,
  targets: readonly TargetSnapshot[],
  now: number,
  random: () => number,
) => Decision;

/**
 * Milliseconds until a target answers one more request: `latency × (1 + in flight / lanes)`. With one lane this is
 * the cost of Finagle's Peak EWMA, `ewma × (pending + 1)`; a target that scales out by itself has many lanes.
 */
export function predict({ target, latencyMs, inFlight, lanes }: TargetSnapshot): Prediction {
  return { target, predictedMs: latencyMs === null ? null : latencyMs * loadFactor(inFlight, lanes) };
}

/** How much longer an answer takes with so many requests ahead of it: 1 on an idle target. */
export const loadFactor = (inFlight: number, lanes: number): number => 1 + inFlight / lanes;

/** Not predicted past the deadline. Of the unknown nothing is predicted. */
export const mayFit = ({ predictedMs }: Prediction, deadlineMs: number): boolean =>
  predictedMs === null || predictedMs <= deadlineMs;

/** @param all what was to be chosen from, the chosen one among them */
export function take(chosen: TargetSnapshot, reason: Reason, all: readonly TargetSnapshot[]): Decision {
  const alternatives = all.filter((each) => each !== chosen).map(predict);
  return { ...predict(chosen), reason, alternatives };
}
