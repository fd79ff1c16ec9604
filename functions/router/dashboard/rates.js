/** Requests per second, from successive readings of counters. Pure. */

/** @import { Place, Reading } from './types.ts' */

/** How long readings are kept, in seconds. */
export const WINDOW_S = 180;

/** Seconds after which two readings are not joined: nobody knows what was in between. */
const GAP_S = 20;

/** Readings that a rate is taken over. */
const SMOOTHED = 3;

/**
 * @param {readonly Reading[]} readings
 * @param {{ at: number, edge: number, cloud: number }} next
 * @returns {Reading[]} those of the window, the newest last
 */
export function withReading(readings, next) {
  const before = readings.at(-1);
  const isNew =
    before === undefined ||
    next.edge < before.edge ||
    next.cloud < before.cloud ||
    next.at - before.at > GAP_S;
  return [...readings, { ...next, isNew }].filter((each) => next.at - each.at <= WINDOW_S);
}

/**
 * Over the last few readings up to `index`.
 * @param {readonly Reading[]} readings
 * @param {Place} place
 */
export function rateAt(readings, place, index = readings.length - 1) {
  const last = readings[index];
  if (last === undefined) return 0;
  let first = last;
  for (let i = index; i >= Math.max(0, index - SMOOTHED); i--) {
    first = readings[i] ?? first;
    if (first.isNew) break;
  }
  return first === last ? 0 : (last[place] - first[place]) / (last.at - first.at);
}
