import { expect, test } from 'vitest';
import { lostLines } from '../../../infra/cli/progress.ts';

test('a job tells which shards it went without, and why', () => {
  const reason = 'label has class id 5';
  expect(lostLines({})).toEqual([]);
  expect(
    lostLines({
      lost: [
        { shard: 2, rounds: 3, reason },
        { shard: 7, rounds: 1, reason: 'it gave no update in time' },
      ],
    }),
  ).toEqual([
    'shard 2 was left out of 3 rounds: label has class id 5',
    'shard 7 was left out of 1 round: it gave no update in time',
  ]);
});
