/** Distributions of times and sizes in scenario files. */
import { z } from 'zod';
import type { Random } from '../random.ts';
import { kindsOf, noSuchKind } from './problem.ts';

const Positive = z.number().positive();

const KINDS = [
  z.strictObject({ kind: z.literal('exponential'), mean: Positive }),
  z
    .strictObject({ kind: z.literal('uniform'), low: z.number().min(0), high: Positive })
    .refine(({ low, high }) => low <= high, { path: ['high'], message: 'must not be below low' }),
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
] as const;

export const Distribution = z.union(
  [
    /** Always this. */
    z.number().min(0),
    z.discriminatedUnion('kind', KINDS, { error: noSuchKind(KINDS) }),
  ],
  { error: `must be a number, 0 or more, or an object whose kind is one of ${kindsOf(KINDS)}` },
);
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

export function meanOf(distribution: Distribution): number {
  if (typeof distribution === 'number') return distribution;
  switch (distribution.kind) {
    case 'exponential':
      return distribution.mean;
    case 'uniform':
      return (distribution.low + distribution.high) / 2;
    case 'lognormal':
      return distribution.median * Math.exp(distribution.sigma ** 2 / 2);
    case 'normal':
      return meanAboveZero(distribution);
    case 'mixture':
      return distribution.usually + (distribution.rarely - distribution.usually) * distribution.share;
  }
}

/** E max(0, X) of a normal X: `μ·Φ(μ/σ) + σ·φ(μ/σ)`; Φ after Abramowitz & Stegun 26.2.17, to 1e-7. */
function meanAboveZero({ mean, deviation }: { readonly mean: number; readonly deviation: number }): number {
  const z = mean / deviation;
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  const t = 1 / (1 + 0.2316419 * z);
  const series = [0.31938153, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
  const above = density * series.reduceRight((sum, c) => (sum + c) * t, 0);
  return mean * (1 - above) + deviation * density;
}
