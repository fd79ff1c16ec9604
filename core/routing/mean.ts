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
/** How many times as quick as expected, and as slow as it was at its best, is another time and no luck. */
const QUICKER = 2;
/** Milliseconds in which the best is forgotten by a factor of e. */
const BEST_TAU_MS = 60_000;

export interface Mean {
  readonly long: number;
  readonly short: number;
  /** Mean absolute deviation of the readings from the long mean. */
  readonly deviation: number;
  /** What the past weighs against the next reading, which weighs 1. */
  readonly weight: number;
  /** The least that it was lately, of enough readings; null: it has not had so many. */
  readonly best: number | null;
  readonly at: number;
  /** Other isolates' word, and no reading of its own since. */
  readonly isTold?: true;
}

export function meanValue({ long, short, deviation }: Mean): number {
  return Math.abs(short - long) > BAND * deviation ? short : long;
}

/**
 * Whether what made a target slow is over: it had been quick, was left alone since, and has now been quick again.
 * Otherwise it would be avoided for as many rounds of such tries as it takes to outweigh the past. A lucky reading that is
 * believed costs little: the target is asked, and the next ones say how it is. An unlucky one would keep everybody away.
 */
function isOver(mean: Mean, best: number | null, reading: number): best is number {
  return best !== null && meanValue(mean) > QUICKER * Math.max(best, reading) + TICK_MS;
}

/**
 * @param reading what is not a number from 0 is not learned
 * @param isTry whether the target was left alone before, and only tried: it was not chosen
 */
export function observeMean(mean: Mean | null, reading: number, now: number, isTry = false): Mean | null {
  if (!Number.isFinite(reading) || reading < 0) return mean;
  if (mean === null) return anew(reading, reading, null, now);
  const age = Math.max(0, now - mean.at);
  const value = meanValue(mean);
  const best =
    mean.best === null
      ? null
      : Math.min(value, (mean.best + TICK_MS) * Math.exp(age / BEST_TAU_MS) - TICK_MS);
  // The one reading there is was made beside other work, and may be late for that.
  if (isTry && isOver(mean, best, reading))
    return anew(Math.min(reading, (reading + best) / 2), reading, best, now);
  const past = mean.weight * Math.exp(-age / TAU_MS);
  const towards = (from: number, to: number, most: number) =>
    from + (to - from) / (Math.min(past, most - 1) + 1);
  const long = towards(mean.long, reading, LONG);
  const next = {
    long,
    short: towards(mean.short, reading, SHORT),
    deviation: towards(mean.deviation, Math.abs(reading - mean.long), LONG),
    weight: Math.min(LONG, past + 1),
    best,
    at: Math.max(now, mean.at),
  };
  if (next.weight < SHORT) return next;
  return { ...next, best: Math.min(best ?? Infinity, meanValue(next)) };
}

const anew = (value: number, reading: number, best: number | null, at: number): Mean => ({
  long: value,
  short: value,
  deviation: reading / 2,
  weight: 1,
  best,
  at,
});
