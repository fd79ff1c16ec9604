import { describe, expect, it } from 'vitest';
import { Fault } from '../../../core/errors.ts';
import { createRandom, permutation } from '../../../core/random.ts';

const take = (n: number, draw: () => number) => Array.from({ length: n }, draw);

describe('random', () => {
  it('repeats itself for the same seed and stream, and for no other', () => {
    const draws = (...words: [number, ...number[]]) => take(8, createRandom(...words).bits).join();
    expect(draws(1, 2, 3)).toBe(draws(1, 2, 3));
    const all = [[0], [1], [0, 0], [0, 1], [1, 0], [1, 2, 3], [1, 3, 2]].map((w) =>
      draws(w[0]!, ...w.slice(1)),
    );
    expect(new Set(all).size).toBe(all.length);
  });

  it('draws the very bits it drew when this was written', () => {
    // A change here changes every training run: shuffles and initial weights.
    expect(take(4, createRandom(42, 1).bits)).toEqual([2871663180, 1029475553, 1709319108, 4101651357]);
    expect([...permutation(8, createRandom(7))]).toEqual([7, 2, 6, 4, 5, 0, 3, 1]);
    expect(take(3, createRandom(3).normal)).toEqual([
      -0.9407071465503509, -1.0807633345136267, 0.34150622011951354,
    ]);
  });

  it('is uniform: every of 16 cells within five standard deviations', () => {
    const random = createRandom(5);
    const cells = Array.from({ length: 16 }, () => 0);
    for (let i = 0; i < 160_000; i++) cells[Math.floor(random.uniform() * 16)]! += 1;
    for (const count of cells) expect(Math.abs(count - 10_000)).toBeLessThan(5 * Math.sqrt(10_000));
  });

  it('is normal: mean, variance, kurtosis', () => {
    const draws = take(200_000, createRandom(6).normal);
    const moment = (k: number) => draws.reduce((sum, x) => sum + x ** k, 0) / draws.length;
    expect(moment(1)).toBeCloseTo(0, 1);
    expect(moment(2)).toBeCloseTo(1, 1);
    expect(moment(3)).toBeCloseTo(0, 1);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.1);
  });

  it('permutes: each element once, each place as likely', () => {
    const places = Array.from({ length: 5 }, () => 0);
    for (let seed = 0; seed < 5000; seed++) {
      const order = permutation(5, createRandom(seed));
      expect(order.toSorted()).toEqual(Uint32Array.of(0, 1, 2, 3, 4));
      places[order.indexOf(0)]! += 1;
    }
    for (const count of places) expect(Math.abs(count - 1000)).toBeLessThan(160);
    expect(permutation(0, createRandom(0))).toHaveLength(0);
  });

  it.each([-1, 1.5, 2 ** 32, NaN])('refuses the seed %s', (seed) => {
    expect(() => createRandom(seed)).toThrow(Fault);
    expect(() => createRandom(0, seed)).toThrow(/stream\[0\]/);
  });
});
