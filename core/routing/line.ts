/**
 * Milliseconds as a function of payload size, learned online: least squares over readings that fade with their age,
 * kept as five moments. Two numbers of a regression are all a router can afford per target and model, and all that
 * transfer (bytes over bandwidth) and inference over a batch (work per row) need.
 */
import { TAU_MS } from './estimate.ts';

/** Readings the moments are of, at most: more and older than those of the mean, the slope being harder to see. */
const MOST_READINGS = 256;
/** Time constant of the slope, milliseconds: 30 times that of the mean. */
export const LINE_TAU_MS = 30 * TAU_MS;
/** Readings before a slope is believed. */
const FEWEST = 8;

export interface Line {
  readonly weight: number;
  /** Means of bytes and milliseconds, and the sums of squared and mixed deviations. */
  readonly bytes: number;
  readonly ms: number;
  readonly bytesSquared: number;
  readonly mixed: number;
  readonly at: number;
}

export const EMPTY_LINE: Line = { weight: 0, bytes: 0, ms: 0, bytesSquared: 0, mixed: 0, at: 0 };

/** West 1979, "Updating mean and variance estimates", CACM 22(9), with fading. */
export function learnLine(line: Line, bytes: number, ms: number, now: number): Line {
  const fade = Math.exp(-Math.max(0, now - line.at) / LINE_TAU_MS);
  const past = Math.min(line.weight * fade, MOST_READINGS);
  const kept = line.weight === 0 ? 0 : past / line.weight;
  const weight = past + 1;
  const [dx, dy] = [bytes - line.bytes, ms - line.ms];
  return {
    weight,
    bytes: line.bytes + dx / weight,
    ms: line.ms + dy / weight,
    bytesSquared: line.bytesSquared * kept + (dx * dx * past) / weight,
    mixed: line.mixed * kept + (dx * dy * past) / weight,
    at: Math.max(now, line.at),
  };
}

/** Milliseconds a byte more takes; 0 where sizes hardly differ or nothing is known: more never takes less. */
export function slopeOf({ weight, bytes, bytesSquared, mixed }: Line): number {
  const varied = bytesSquared > weight * (0.05 * bytes) ** 2;
  return weight < FEWEST || !varied ? 0 : Math.max(0, mixed / bytesSquared);
}

/** What a reading would have been at the mean size, and back: `ms + slope · (to − from)`, not below zero. */
export const resized = (ms: number, slope: number, from: number, to: number): number =>
  Math.max(0, ms + slope * (to - from));
