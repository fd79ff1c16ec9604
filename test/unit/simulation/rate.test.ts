import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evenTimes, type Rate, rateAt, requestsBetween } from '../../../core/simulation/rate.ts';

/** From nothing to 100 a second in a step, and back again. */
const STEP: Rate = [
  [0, 0],
  [5_000, 0],
  [5_000, 100],
  [9_000, 100],
  [9_000, 0],
];
const RAMP: Rate = [
  [0, 0],
  [10_000, 100],
];

describe('requests at even times', () => {
  test('a rate that is 0 at first, or again, loses none', () => {
    const times = evenTimes(STEP, 12_000, 0.5);
    expect(times).toHaveLength(400);
    expect([times[0], times.at(-1)]).toEqual([5_005, 8_995]);
  });

  test('a ramp from 0: the k-th where t²/200 s² is k', () => {
    const times = evenTimes(RAMP, 12_000, 0);
    // 500 until 10 s, then 100 a second.
    expect(times).toHaveLength(700);
    for (const k of [0, 1, 2, 100, 499]) expect(times[k]).toBeCloseTo(Math.sqrt(k * 200_000), 6);
    expect(times[600]! - times[599]!).toBeCloseTo(10, 6);
  });

  test('down to 0 and up again', () => {
    const valley: Rate = [
      [0, 10],
      [1_000, 0],
      [2_000, 10],
    ];
    const times = evenTimes(valley, 2_000, 0.5);
    expect(times).toHaveLength(10);
    times.forEach((at, i) => expect(at).toBeCloseTo(2_000 - times[9 - i]!, 6));
  });

  test('for any rate: in order, before the end, and one for each that the integral grows', () => {
    const points = fc.array(fc.tuple(fc.nat(5_000), fc.nat(200)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(points, fc.double({ min: 0, max: 0.999, noNaN: true }), (unordered, phase) => {
        const rate = unordered.toSorted(([a], [b]) => a - b);
        const times = evenTimes(rate, 4_000, phase);
        const all = requestsBetween(rate, 0, 4_000);
        expect(Math.abs(times.length - all)).toBeLessThanOrEqual(1);
        const isWrong = (at: number, k: number) =>
          !(at >= (times[k - 1] ?? 0) && at <= 4_000) ||
          Math.abs(requestsBetween(rate, 0, at) - phase - k) > 1e-6;
        expect(times.filter(isWrong)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

test('the integral is that of the sum of many small steps', () => {
  for (const rate of [STEP, RAMP]) {
    let sum = 0;
    for (let at = 2_000.5; at < 11_000; at += 1) sum += rateAt(rate, at) / 1000;
    expect(requestsBetween(rate, 2_000, 11_000)).toBeCloseTo(sum, 3);
  }
});
