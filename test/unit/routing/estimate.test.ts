import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  emptyWindow,
  type Ewma,
  ewmaValue,
  observe,
  quantile,
  remember,
  TAU_MS,
  type Window,
  WINDOW,
} from '../../../core/routing/estimate.ts';

const learn = (readings: readonly (readonly [ms: number, at: number])[]) =>
  readings.reduce<Ewma | null>((ewma, [ms, at]) => observe(ewma, ms, at), null)!;

describe('Peak EWMA', () => {
  it('is the plain mean while nothing has faded', () => {
    expect(ewmaValue(learn([[4, 0]]))).toBe(4);
    expect(ewmaValue(learn([4.0, 4.5, 3.5, 4.0].map((ms) => [ms, 7] as const)))).toBeCloseTo(4, 12);
  });

  it('takes a peak at once and comes down with the time constant', () => {
    const steady = Array.from({ length: 20_000 }, (_, i) => [5, i * 10] as const);
    const peak = observe(learn(steady), 105, 200_000)!;
    expect(ewmaValue(peak)).toBeCloseTo(105, 9);
    let after: Ewma = peak;
    for (let at = 200_010; at <= 200_000 + TAU_MS; at += 10) after = observe(after, 5, at)!;
    // One time constant later 1/e of the peak's 100 ms is left.
    expect(ewmaValue(after) - 5).toBeCloseTo(100 / Math.E, 0);
  });

  it.each([0.1, 0.4, 0.7])('sees %d ms through a clock of whole milliseconds', (service) => {
    let ewma: Ewma | null = null;
    let time = 0.123;
    for (let i = 0; i < 5_000; i++) {
      const end = time + service;
      ewma = observe(ewma, Math.floor(end) - Math.floor(time), Math.floor(end));
      time = end + 0.037;
    }
    expect(ewmaValue(ewma!)).toBeGreaterThan(service * 0.9);
    expect(ewmaValue(ewma!)).toBeLessThan(service * 1.1);
  });

  it('forgets what is very old', () => {
    expect(
      ewmaValue(
        learn([
          [500, 0],
          [3, 1e9],
        ]),
      ),
    ).toBe(3);
  });

  it('learns nothing from what is no latency', () => {
    const known = learn([[5, 1]]);
    for (const reading of [Number.NaN, Infinity, -1]) expect(observe(known, reading, 2)).toBe(known);
    expect(observe(null, Number.NaN, 0)).toBeNull();
  });

  it('always lies between the least and the greatest reading, whatever the clock does', () => {
    const reading = fc.tuple(fc.double({ min: 0, max: 1e9, noNaN: true }), fc.integer({ min: 0, max: 1e12 }));
    fc.assert(
      fc.property(fc.array(reading, { minLength: 1, maxLength: 50 }), (readings) => {
        const value = ewmaValue(learn(readings));
        const ms = readings.map(([each]) => each);
        expect(value).toBeGreaterThanOrEqual(Math.min(...ms) * (1 - 1e-9));
        expect(value).toBeLessThanOrEqual(Math.max(...ms) * (1 + 1e-9));
      }),
    );
  });
});

describe('the quantile window', () => {
  const of = (readings: readonly number[]) => readings.reduce<Window>(remember, emptyWindow());

  it('is the nearest rank', () => {
    const hundred = of(Array.from({ length: 100 }, (_, i) => 100 - i));
    expect([0.5, 0.95, 0.99, 1].map((q) => quantile(hundred, q))).toEqual([50, 95, 99, 100]);
    expect(quantile(of([7]), 0.01)).toBe(7);
    expect(quantile(emptyWindow(), 0.5)).toBeNull();
  });

  it('keeps the most recent readings only', () => {
    const window = of([
      ...Array.from({ length: WINDOW }, () => 1_000),
      ...Array.from({ length: WINDOW }, () => 1),
    ]);
    expect(quantile(window, 1)).toBe(1);
  });
});
