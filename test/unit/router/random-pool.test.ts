import { expect, it } from 'vitest';
import { pooled } from '../../../functions/router/random-pool.ts';

it('gives each byte out once', () => {
  let next = 0;
  const random = pooled((bytes) => {
    for (let i = 0; i < bytes.length; i += 2) {
      bytes[i] = next >> 8;
      bytes[i + 1] = next++;
    }
  });
  const given = Array.from({ length: 1_000 }, () => random(40));
  expect(given.every((bytes) => bytes.length === 40)).toBe(true);
  expect(new Set(given.map(String)).size).toBe(1_000);
  expect(() => random(5_000)).toThrow('count: at most 4096, not 5000');
});
