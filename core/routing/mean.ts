/**
 * A mean that is steady while nothing changes and quick when something does. Two means over readings that fade with
 * their age: a long one, of which the deviation is known, and a short one. While they differ by no more than noise the
 * long one holds; beyond that the short one does, up or down (Page 1954 detects changes so, by a band around what
 * is expected). A peak detector, which believes every high reading, predicts a noisy target half again too late.
 */
import { TAU_MS, TICK_MS } from './estimate.ts';

/** Readings that the two means are of, at most. */
const LONG = 32;
const SHORT = 4;
/** Mean absolute deviations that the short mean may be away: about 3 standard deviations of a mean of four. */
const BAND = 2;
/** Milliseconds without a reading, and how many times as quick one after them must be to say that the past is over. */
const SILENCE_MS = 5_000;
const QUICKER = 3;

export interface Mean {
  readonly long: number;
  readonly short: number;
  /** Mean absolute deviation of the readings from the long mean. */
  readonly deviation: number;
  /** What the past weighs against the next reading, which weighs 1. */
  readonly weight: number;
  readonly at: number;
  /** Other isolates' word, and no reading of its own since. */
  readonly isTold?: true;
}

export function meanValue({ long, short, deviation }: Mean): number {
  return Math.abs(short - long) > BAND * deviation ? short : long;
}

/**
 * Whether what made a target slow is over: it was left alone since, and has now been much quicker than it was. Otherwise
 * it would be avoided for as many rounds of such tries as it takes to outweigh the past. A lucky reading that is believed
 * costs little: the target is asked, and the next ones say how it is. An unlucky one would keep everybody away.
 */
const isOver = (mean: Mean, reading: number, now: number): boolean =>
  now - mean.at > SILENCE_MS && meanValue(mean) > QUICKER * reading + TICK_MS;

/**
 * @param reading what is not a number from 0 is not learned
 * @param isTry whether the target was only tried: it was not chosen
 */
export function observeMean(mean: Mean | null, reading: number, now: number, isTry = false): Mean | null {
  if (!Number.isFinite(reading) || reading < 0) return mean;
  if (mean === null || (isTry && isOver(mean, reading, now)))
    return { long: reading, short: reading, deviation: reading / 2, weight: 1, at: now };
  const past = mean.weight * Math.exp(-Math.max(0, now - mean.at) / TAU_MS);
  const towards = (from: number, to: number, most: number) =>
    from + (to - from) / (Math.min(past, most - 1) + 1);
  const long = towards(mean.long, reading, LONG);
  return {
    long,
    short: towards(mean.short, reading, SHORT),
    deviation: towards(mean.deviation, Math.abs(reading - mean.long), LONG),
    weight: Math.min(LONG, past + 1),
    at: Math.max(now, mean.at),
  };
}
