/**
 * How late a bad day is: the 95th percentile of actual over predicted time. It is of what happened lately: a target that
 * was slow for a moment, before it was known to be slow, would otherwise be left out as unreliable for as long as it takes
 * to outnumber that moment, and one that is left out is hardly ever asked.
 */
import { WINDOW } from './estimate.ts';

/** Milliseconds that a ratio counts. */
const RATIO_MS = 30_000;
/** Ratios, and milliseconds, between two looks at their percentile: sorting is not free. */
const EVERY = 8;
const EVERY_MS = 1_000;
const QUANTILE = 0.95;

/** The arrays are rings, shared between the values of one history: only the newest is valid. */
export interface Ratios {
  readonly ring: Float32Array;
  /** When each was learned, milliseconds. */
  readonly times: Float64Array;
  readonly added: number;
  /** At least 1. */
  readonly spread: number;
  readonly lookedAt: number;
}

export const noRatios = (): Ratios => ({
  ring: new Float32Array(WINDOW),
  times: new Float64Array(WINDOW),
  added: 0,
  spread: 1,
  lookedAt: -Infinity,
});

export function learnRatio(ratios: Ratios, ratio: number, now: number): Ratios {
  const { ring, times } = ratios;
  ring[ratios.added % WINDOW] = ratio;
  times[ratios.added % WINDOW] = now;
  const next = { ...ratios, added: ratios.added + 1 };
  // The first few ones say nothing of one in twenty.
  if (next.added % EVERY !== 0 && (next.added < EVERY || now - ratios.lookedAt < EVERY_MS)) return next;
  return { ...next, spread: Math.max(1, quantile(next, now)), lookedAt: now };
}

/** Nearest rank, of the last ones that count. */
function quantile({ ring, times, added }: Ratios, now: number): number {
  const size = Math.min(added, WINDOW);
  let recent = 0;
  while (recent < size && now - times[(added - 1 - recent) % WINDOW]! < RATIO_MS) recent += 1;
  const sorted = new Float32Array(recent);
  for (let i = 0; i < recent; i++) sorted[i] = ring[(added - 1 - i) % WINDOW]!;
  sorted.sort();
  return sorted[Math.ceil(QUANTILE * recent) - 1] ?? 1;
}
