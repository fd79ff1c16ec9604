/**
 * What a routing policy is: a pure function from the request and what is known of the targets to a decision with its
 * reason. It runs in the router as it would in a simulator: time and randomness are arguments.
 */
import type { TargetName } from './targets.ts';

/** What a router isolate knows of one target. */
export interface TargetSnapshot {
  readonly configured: boolean;
  /** Requests sent and not yet answered. */
  readonly inFlight: number;
  /** Milliseconds: exponentially weighted latency seen by the router, queueing included; null before the first answer. */
  readonly latencyMs: number | null;
  /** When it last answered, Unix milliseconds; null before the first answer. */
  readonly answeredAt: number | null;
  /** Ejected until then, Unix milliseconds; 0 where it is not. */
  readonly ejectedUntil: number;
}

export type Snapshot = Readonly<Record<TargetName, TargetSnapshot>>;

export interface RouteRequest {
  /** Asked for by the client. */
  readonly pin: TargetName | undefined;
  /** Milliseconds left until the client stops waiting. */
  readonly deadlineMs: number;
}

/** Every reason there is; docs/routing.md says when each is given. */
export const REASONS = [
  'pinned',
  'only-target',
  'untried-edge',
  'edge-faster',
  'cloud-faster',
  'edge-ejected',
  'cloud-ejected',
  'all-ejected',
  'deadline',
  'probe',
  'fallback',
] as const;
export type Reason = (typeof REASONS)[number];

export interface Decision {
  readonly target: TargetName;
  readonly reason: Reason;
  /** Milliseconds until the answer, null where nothing is known of the target. */
  readonly predictedMs: number | null;
  /** Where to go if the target fails; undefined where there is nowhere (or the client pinned one). */
  readonly fallback: TargetName | undefined;
}

/** @param random in [0, 1) */
export type Policy = (request: RouteRequest, snapshot: Snapshot, now: number, random: number) => Decision;
