import { expect, it } from 'vitest';
import { pooledHex } from '../../../functions/router/random-pool.ts';

it('gives each byte out once', () => {
  let next = 0;
  const random = pooledHex((bytes) => {
    const words = new DataView(bytes.buffer);
    for (let i = 0; i < bytes.length; i += 4) words.setUint32(i, next++);
  });
  const given = Array.from({ length: 1_000 }, () => random(40));
  expect(given.slice(0, 1)).toEqual([
    Array.from({ length: 10 }, (_, i) => i.toString(16).padStart(8, '0')).join(''),
  ]);
  expect(given.every((digits) => /^[0-9a-f]{80}$/.test(digits))).toBe(true);
  expect(new Set(given).size).toBe(1_000);
  expect(() => random(5_000)).toThrow('count: at most 4096, not 5000');
});
