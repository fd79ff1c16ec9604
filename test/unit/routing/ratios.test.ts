import { describe, expect, it } from 'vitest';
import { learnRatio, noRatios, type Ratios } from '../../../core/routing/ratios.ts';

const of = (ratios: readonly number[], everyMs: number, start: Ratios = noRatios(), from = 0) =>
  ratios.reduce((known, ratio, i) => learnRatio(known, ratio, from + i * everyMs), start);
const many = (count: number, ratio: (i: number) => number) =>
  Array.from({ length: count }, (_, i) => ratio(i));

describe('how late a bad day is', () => {
  it('is the 95th percentile, and never early', () => {
    expect(
      of(
        many(200, (i) => (i % 20 === 0 ? 9 : 1) + i / 1e6),
        10,
      ).spread,
    ).toBeCloseTo(1, 3);
    expect(
      of(
        many(200, (i) => (i % 10 === 0 ? 9 : 1)),
        10,
      ).spread,
    ).toBe(9);
    expect(
      of(
        many(200, () => 0.1),
        10,
      ).spread,
    ).toBe(1);
  });

  it('says nothing of the first few, and counts each a while only', () => {
    expect(
      of(
        many(7, () => 50),
        10,
      ).spread,
    ).toBe(1);
    const late = of(
      many(8, () => 50),
      10,
    );
    expect(late.spread).toBe(50);
    expect(
      of(
        many(8, () => 1),
        2_000,
        late,
        5_000,
      ).spread,
    ).toBe(50);
    expect(
      of(
        many(20, () => 1),
        2_000,
        late,
        5_000,
      ).spread,
    ).toBe(1);
  });
});
