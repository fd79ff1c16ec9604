import { expect, test } from 'vitest';
import { parseAge } from '../../../infra/cli/age.ts';

test.each([
  ['0', 0],
  ['45', 45],
  ['45s', 45],
  ['90m', 5_400],
  ['24h', 86_400],
  ['7d', 604_800],
])('%s is %i seconds', (text, seconds) => {
  expect(parseAge(text)).toBe(seconds);
});

test.each(['', 'h', '1.5h', '-1d', '1w', '1 d', '7days'])('%s is refused', (text) => {
  expect(() => parseAge(text)).toThrow('90m, 24h, 7d');
});
