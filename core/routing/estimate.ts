/**
 * Latency estimators, as values and pure transitions.
 *
 * After Finagle's Peak EWMA (com.twitter.finagle.loadbalancer.PeakEwma): a mean that forgets exponentially with
 * τ = 10 s, and a peak that is believed at once and fades. What differs, and why:
 * - A reading counts 1 and fades with its age, `Σ reading·e^(-age/τ) / Σ e^(-age/τ)`. Finagle weighs a reading by the
 *   time since the one before. A Worker's clock moves in whole milliseconds and on I/O only, so of many readings in
 *   one tick all but the first would weigh nothing, and the first is one that crossed the tick: 0.4 ms would be
 *   seen as 1. So also the first readings after a start are a plain mean. The weight is bounded, so that a busy
 *   target's past does not outweigh a change.
 * - A peak is a reading above the estimate by more than a tick, for the same reason.
 * - The peak fades faster than the mean, and towards it, not to zero, whether there are readings or not. Finagle has
 *   many targets and takes one away for a while; here one slow answer in thousands would turn all traffic to the
 *   other place for half a minute. A target that stays slow raises the mean, one that hangs its requests in flight.
 */

/** Time constant of the mean, milliseconds (Finagle's default decay time). */
export const TAU_MS = 10_000;
/** Time constant of a peak, milliseconds. */
export const PEAK_TAU_MS = 1_000;
/** Readings that the mean is of, at most. */
export const MOST_READINGS = 32;
/** Resolution of a Worker's clock. */
export const TICK_MS = 1;

export interface Ewma {
  readonly mean: number;
  /** What the mean weighs against the next reading, which weighs 1. */
  readonly weight: number;
  /** The estimate at the time of the last reading, at least the mean. */
  readonly level: number;
  /** Of the last reading, milliseconds. */
  readonly at: number;
}

/** Milliseconds: the mean, and what is left of the last peak. */
export function ewmaValue({ mean, level, at }: Ewma, now: number): number {
  return mean + (level - mean) * Math.exp(-Math.max(0, now - at) / PEAK_TAU_MS);
}

/** @param reading milliseconds; what is not a number of milliseconds is not learned */
export function observe(ewma: Ewma | null, reading: number, now: number): Ewma | null {
  if (!Number.isFinite(reading) || reading < 0) return ewma;
  if (ewma === null) return { mean: reading, weight: 1, level: reading, at: now };
  const estimate = ewmaValue(ewma, now);
  const past = ewma.weight * Math.exp(-Math.max(0, now - ewma.at) / TAU_MS);
  const mean = ewma.mean + (reading - ewma.mean) / (past + 1);
  // What is left of an earlier peak stays above the mean, but no estimate is above every reading.
  const kept = Math.min(mean + (estimate - ewma.mean), Math.max(estimate, reading));
  return {
    mean,
    weight: Math.min(MOST_READINGS, past + 1),
    level: reading > estimate + TICK_MS ? reading : Math.max(mean, kept),
    at: Math.max(now, ewma.at),
  };
}

/** Readings kept for the quantiles. */
export const WINDOW = 256;

/** The most recent readings, in a ring. The array is shared between the values of a window: only the newest is valid. */
export interface Window {
  readonly ring: Float32Array;
  readonly added: number;
}

export const emptyWindow = (): Window => ({ ring: new Float32Array(WINDOW), added: 0 });

/** O(1): it writes into the shared ring. */
export function remember({ ring, added }: Window, reading: number): Window {
  ring[added % WINDOW] = reading;
  return { ring, added: added + 1 };
}

/** Nearest rank. @param q in (0, 1] @returns null while there is no reading */
export function quantile({ ring, added }: Window, q: number): number | null {
  const size = Math.min(added, WINDOW);
  if (size === 0) return null;
  const sorted = ring.slice(0, size).sort();
  return sorted[Math.min(size, Math.max(1, Math.ceil(q * size))) - 1] ?? null;
}
