/**
 * Latency estimators, as values and pure transitions.
 *
 * Peak EWMA after Finagle (com.twitter.finagle.loadbalancer.PeakEwma): a mean that forgets exponentially with
 * τ = 10 s, jumps to a peak at once and comes down slowly. What differs, and why:
 * - A reading counts 1 and fades with its age, `Σ reading·e^(-age/τ) / Σ e^(-age/τ)`. Finagle weighs a reading by the
 *   time since the one before. A Worker's clock moves in whole milliseconds and on I/O only, so of many readings in
 *   one tick all but the first would weigh nothing, and the first is one that crossed the tick: 0.4 ms would be
 *   seen as 1. So also the first readings after a start are a plain mean.
 * - A peak is a reading above the estimate by more than a tick, for the same reason.
 * - It does not decay while idle: an old estimate is known to be old and is probed, not assumed to be better.
 */

/** Time constant, milliseconds (Finagle's default decay time). */
export const TAU_MS = 10_000;
/** Resolution of a Worker's clock. */
export const TICK_MS = 1;

export interface Ewma {
  /** The estimate is `sum / weight`. */
  readonly sum: number;
  readonly weight: number;
  /** Of the last reading, milliseconds. */
  readonly at: number;
}

export const ewmaValue = ({ sum, weight }: Ewma): number => sum / weight;

/** @param reading milliseconds; what is not a number of milliseconds is not learned */
export function observe(ewma: Ewma | null, reading: number, now: number): Ewma | null {
  if (!Number.isFinite(reading) || reading < 0) return ewma;
  if (ewma === null) return { sum: reading, weight: 1, at: now };
  const fade = Math.exp(-Math.max(0, now - ewma.at) / TAU_MS);
  const weight = ewma.weight * fade + 1;
  const isPeak = reading > ewmaValue(ewma) + TICK_MS;
  return { sum: isPeak ? reading * weight : ewma.sum * fade + reading, weight, at: Math.max(now, ewma.at) };
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
