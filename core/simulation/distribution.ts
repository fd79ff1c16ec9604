/** Distributions of times and sizes in scenario files. */
import { z } from 'zod';
import type { Random } from '../random.ts';

const Positive = z.number().positive();

export const Distribution = z.union([
  /** Always this. */
  z.number().min(0),
  z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('exponential'), mean: Positive }),
    z.strictObject({ kind: z.literal('uniform'), low: z.number().min(0), high: Positive }),
    /** ln x is normal with standard deviation `sigma`. */
    z.strictObject({ kind: z.literal('lognormal'), median: Positive, sigma: Positive.max(4) }),
    /** Normal, cut off below zero. */
    z.strictObject({ kind: z.literal('normal'), mean: Positive, deviation: Positive }),
    /** `usually`, but with probability `share` `rarely`: a heavy tail whose size is plain to see. */
    z.strictObject({
      kind: z.literal('mixture'),
      usually: Positive,
      rarely: Positive,
      share: z.number().min(0).max(1),
    }),
  ]),
]);
export type Distribution = z.infer<typeof Distribution>;

export function draw(distribution: Distribution, random: Random): number {
  if (typeof distribution === 'number') return distribution;
  switch (distribution.kind) {
    case 'exponential':
      return -distribution.mean * Math.log(1 - random.uniform());
    case 'uniform':
      return distribution.low + (distribution.high - distribution.low) * random.uniform();
    case 'lognormal':
      return distribution.median * Math.exp(distribution.sigma * random.normal());
    case 'normal':
      return Math.max(0, distribution.mean + distribution.deviation * random.normal());
    case 'mixture':
      return random.uniform() < distribution.share ? distribution.rarely : distribution.usually;
  }
}
