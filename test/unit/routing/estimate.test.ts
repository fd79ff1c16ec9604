import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  emptyWindow,
  type Ewma,
  ewmaValue,
  observe,
  MOST_READINGS,
  PEAK_TAU_MS,
  quantile,
  remember,
  TAU_MS,
  type Window,
  WINDOW,
} from '../../../core/routing/estimate.ts';

type Readings = readonly (readonly [ms: number, at: number])[];
const learn = (readings: Readings) =>
  readings.reduce<Ewma | null>((ewma, [ms, at]) => observe(ewma, ms, at), null)!;
const every = (gap: number, count: number, ms: number, from = 0): Readings =>
  Array.from({ length: count }, (_, i) => [ms, from + i * gap] as const);

describe('Peak EWMA', () => {
  it('is the plain mean of its first readings', () => {
    expect(ewmaValue(learn([[4, 0]]), 0)).toBe(4);
    const alike = [4.0, 4.5, 3.5, 4.4].map((ms) => [ms, 7] as const);
    expect(ewmaValue(learn(alike), 1e6)).toBeCloseTo(4.1, 9);
  });

  it('takes a peak at once, and goes back to the mean whether there are readings or not', () => {
    const before = learn(every(10, 1_000, 5));
    const peak = observe(before, 105, 10_000)!;
    expect(ewmaValue(peak, 10_000)).toBeCloseTo(105, 9);
    const mean = 5 + 100 / (MOST_READINGS + 1);
    const left = (105 - mean) / Math.E;
    expect(ewmaValue(peak, 10_000 + PEAK_TAU_MS)).toBeCloseTo(mean + left, 0);
    expect(ewmaValue(peak, 10_000 + 20 * PEAK_TAU_MS)).toBeCloseTo(mean, 0);
    const busy = every(10, 2_000, 5, 10_010).reduce<Ewma>((ewma, [ms, at]) => observe(ewma, ms, at)!, peak);
    expect(ewmaValue(busy, busy.at)).toBeCloseTo(5, 1);
  });

  it('follows a lasting change within the readings it is of, up at once, down soon', () => {
    const slow = [...every(1, 5_000, 1), ...every(1, 5 * MOST_READINGS, 40, 5_000)];
    expect(ewmaValue(learn(slow), 1e9)).toBeGreaterThan(38);
    expect(ewmaValue(learn(slow.slice(0, 5_001)), 5_000)).toBe(40);
    const quick = [...every(1, 5_000, 40), ...every(1, 5 * MOST_READINGS, 1, 5_000)];
    expect(ewmaValue(learn(quick), 1e9)).toBeLessThan(2);
  });

  it('lets one probe speak after a long silence', () => {
    const probed = learn([...every(1, 5_000, 40), [1, 5_000 + 5 * TAU_MS]]);
    expect(ewmaValue(probed, probed.at + 10 * PEAK_TAU_MS)).toBeLessThan(12);
  });

  it.each([0.1, 0.4, 0.7])('sees %d ms through a clock of whole milliseconds', (service) => {
    let ewma: Ewma | null = null;
    let time = 0.123;
    let sum = 0;
    for (let i = 0; i < 5_000; i++) {
      const end = time + service;
      ewma = observe(ewma, Math.floor(end) - Math.floor(time), Math.floor(end));
      sum += ewmaValue(ewma!, Math.floor(end));
      time = end + 0.037;
    }
    expect(sum / 5_000).toBeGreaterThan(service * 0.9);
    expect(sum / 5_000).toBeLessThan(service * 1.1);
  });

  it('forgets what is very old', () => {
    expect(
      ewmaValue(
        learn([
          [500, 0],
          [3, 1e9],
        ]),
        1e9,
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
      fc.property(
        fc.array(reading, { minLength: 1, maxLength: 50, size: 'max' }),
        fc.nat(),
        (readings, now) => {
          const value = ewmaValue(learn(readings), now);
          const ms = readings.map(([each]) => each);
          expect(value).toBeGreaterThanOrEqual(Math.min(...ms) * (1 - 1e-9) - 1e-9);
          expect(value).toBeLessThanOrEqual(Math.max(...ms) * (1 + 1e-9) + 1e-9);
        },
      ),
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
