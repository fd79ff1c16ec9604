import { expect, test } from 'vitest';
import { median } from '../../core/median.ts';

test.each([
  [[], undefined],
  [[3], 3],
  [[9, 1, 2], 2],
  [[10, 2, 1, 4], 3],
])('the median of %j is %s', (values, expected) => {
  expect(median(values)).toBe(expected);
});
