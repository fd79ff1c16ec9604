import { expect, test } from 'vitest';
import { inTurns } from '../../core/in-turns.ts';

test('answers in order, and no more at once than asked', async () => {
  let active = 0;
  let most = 0;
  const answers = await inTurns([5, 4, 3, 2, 1, 0, 7], 3, async (each) => {
    active += 1;
    most = Math.max(most, active);
    for (let turn = 0; turn < each; turn++) await Promise.resolve();
    active -= 1;
    return each * 10;
  });
  expect(answers).toEqual([50, 40, 30, 20, 10, 0, 70]);
  expect(most).toBe(3);
});
