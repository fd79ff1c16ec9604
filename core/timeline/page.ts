/** Which rounds, or parts, of many. */
import type { TimelineQuery } from '../contracts/timeline.ts';
import type { Range } from '../jobs/schedule.ts';

export interface Pages {
  /** Those there are to show. */
  readonly total: number;
  /** Where a page ends that nobody asked the beginning of, exclusive. */
  readonly newest: number;
  /** The most that one page has; at least one is. */
  readonly most: number;
  /** What it has where nobody says. */
  readonly usual: number;
}

export function pageOf({ first, limit }: TimelineQuery, { total, newest, most, usual }: Pages): Range {
  const length = Math.min(limit ?? usual, Math.max(1, most));
  const start = Math.min(first ?? Math.max(0, newest - length), total);
  return { start, end: Math.min(start + length, total) };
}

export const numbersOf = ({ start, end }: Range): number[] =>
  Array.from({ length: end - start }, (_, i) => start + i);
