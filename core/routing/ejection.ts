/**
 * Ejection of a failing target, after Envoy's outlier detection (envoyproxy.io, "Outlier detection"): five failures
 * in a row eject it for 30 s × the number of times it was ejected, at most 300 s; the number falls again while it is
 * healthy. It comes back half-open, as a circuit breaker does: one trial at a time, its answer closes the circuit,
 * its failure ejects again. The last healthy target is never ejected.
 */
import type { TargetHealth } from './policy.ts';

export const CONSECUTIVE_FAILURES = 5;
/** Milliseconds. Envoy's base_ejection_time and max_ejection_time. */
export const BASE_EJECTION_MS = 30_000;
export const MAX_EJECTION_MS = 300_000;
/** A trial that nobody has heard of for so long is over: in a Worker a request can end without a word. */
export const TRIAL_MS = 30_000;

export type Health =
  | {
      readonly kind: 'healthy';
      /** In a row. */
      readonly failures: number;
      /** Ejections so far, less one for every 30 s since `since`; counted when it is ejected again. */
      readonly ejections: number;
      readonly since: number;
    }
  | {
      readonly kind: 'ejected';
      readonly ejections: number;
      readonly since: number;
      readonly until: number;
      /** When the half-open target was given its trial; null: it has none. */
      readonly trialAt: number | null;
      /** Other isolates' word: this one has not seen it fail. */
      readonly isTold?: true;
    };

export const HEALTHY: Health = { kind: 'healthy', failures: 0, ejections: 0, since: 0 };

export function healthAt(health: Health, now: number): TargetHealth {
  if (health.kind === 'healthy') return 'healthy';
  return now < health.until ? 'ejected' : 'half-open';
}

export const trialUnderWay = (health: Health, now: number): boolean =>
  health.kind === 'ejected' && health.trialAt !== null && now - health.trialAt < TRIAL_MS;

export const trialStarted = (health: Health, now: number): Health =>
  health.kind === 'ejected' ? { ...health, trialAt: now } : health;

/** It ended without telling anything: the next request may try. */
export const trialAbandoned = (health: Health): Health =>
  health.kind === 'ejected' ? { ...health, trialAt: null } : health;

/** @param startedAt of the request: one from before the ejection says nothing about the target now */
export function succeeded(health: Health, startedAt: number, now: number): Health {
  if (health.kind === 'healthy') return health.failures === 0 ? health : { ...health, failures: 0 };
  if (startedAt < health.since) return health;
  return { kind: 'healthy', failures: 0, ejections: health.ejections, since: now };
}

/** @param mayEject false where no other target is healthy */
export function failed(health: Health, startedAt: number, now: number, mayEject: boolean): Health {
  if (health.kind === 'ejected')
    return startedAt < health.until ? health : ejected(health.ejections + 1, now);
  const failures = health.failures + 1;
  if (failures < CONSECUTIVE_FAILURES || !mayEject) return { ...health, failures };
  const forgiven = Math.floor(Math.max(0, now - health.since) / BASE_EJECTION_MS);
  return ejected(Math.max(0, health.ejections - forgiven) + 1, now);
}

function ejected(ejections: number, now: number): Extract<Health, { kind: 'ejected' }> {
  const until = now + Math.min(MAX_EJECTION_MS, BASE_EJECTION_MS * ejections);
  return { kind: 'ejected', ejections, since: now, until, trialAt: null };
}

/** Other isolates see it fail: it is left out until the first of them tries it again. */
export const ejectedElsewhere = (forMs: number, now: number): Health => ({
  ...ejected(1, now),
  until: now + Math.min(MAX_EJECTION_MS, forMs),
  isTold: true,
});

/** Other isolates see it answer since: it gets its trial now. */
export const answeredElsewhere = (health: Health, now: number): Health =>
  health.kind === 'ejected' && health.until > now ? { ...health, until: now } : health;
