/**
 * Latency estimators, as values and pure transitions.
 *
 * Peak EWMA after Finagle (com.twitter.finagle.loadbalancer.PeakEwma): an exponentially weighted mean over time with
 * τ = 10 s that jumps to a peak at once and comes down slowly. Two things differ, both because a Worker's clock
 * moves in whole milliseconds and on I/O only, so that a reading of 0.4 ms is seen as 0 or 1:
 * - readings of one tick count as their mean. Weighing each by the time since the one before gives all but the first
 *   of a tick no weight, and the first is always one that crossed the tick: the estimate would be 1, not 0.4.
 * - a peak is a reading above the estimate by more than the tick.
 * And it does not decay while idle: an old estimate is known to be old (`learnedAt`) and probed, not assumed better.
 */

/** Time constant, milliseconds (Finagle's default decay time). */
export const TAU_MS = 10_000;
/** Resolution of a Worker's clock. */
export const TICK_MS = 1;

export interface Ewma {
  /** Estimate before the readings of this tick; null: there was none. */
  readonly base: number | null;
  /** Weight of `base` against the mean of this tick's readings. */
  readonly keep: number;
  readonly sum: number;
  readonly count: number;
  /** Of the last reading, milliseconds. */
  readonly at: number;
}

export function ewmaValue({ base, keep, sum, count }: Ewma): number {
  const mean = sum / count;
  return base === null ? mean : base * keep + mean * (1 - keep);
}

/** @param reading milliseconds; what is not a number of milliseconds is not learned */
export function observe(ewma: Ewma | null, reading: number, now: number): Ewma | null {
  if (!Number.isFinite(reading) || reading < 0) return ewma;
  if (ewma === null) return { base: null, keep: 0, sum: reading, count: 1, at: now };
  const value = ewmaValue(ewma);
  const elapsed = Math.max(0, now - ewma.at);
  if (reading > value + TICK_MS) return { base: reading, keep: 1, sum: reading, count: 1, at: now };
  if (elapsed === 0) return { ...ewma, sum: ewma.sum + reading, count: ewma.count + 1 };
  return { base: value, keep: Math.exp(-elapsed / TAU_MS), sum: reading, count: 1, at: now };
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
