import fc from 'fast-check';
import { expect, test } from 'vitest';
import { part, planRounds, stepsOfRound } from '../../../core/jobs/schedule.ts';

test('parts cover everything once, in order, and differ by at most one', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 64 }), (total, parts) => {
      const ranges = Array.from({ length: parts }, (_, index) => part(total, parts, index));
      expect(ranges[0]?.start).toBe(0);
      expect(ranges.at(-1)?.end).toBe(total);
      const lengths = ranges.map(({ start, end }) => end - start);
      expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThanOrEqual(1);
      for (const [i, { start }] of ranges.entries()) if (i > 0) expect(start).toBe(ranges[i - 1]?.end);
    }),
  );
});

test('rounds take every step of every epoch once', () => {
  const job = fc.record({
    rows: fc.integer({ min: 8, max: 10_000 }),
    shards: fc.integer({ min: 1, max: 8 }),
    batchSize: fc.integer({ min: 1, max: 512 }),
    accumulate: fc.integer({ min: 1, max: 9 }),
    epochs: fc.integer({ min: 1, max: 9 }),
    localSteps: fc.integer({ min: 1, max: 300 }),
  });
  fc.assert(
    fc.property(job, (options) => {
      const plan = planRounds(options);
      expect(plan.steps).toBe(plan.stepsPerEpoch * options.epochs);
      let at = 0;
      for (let round = 0; round < plan.rounds; round++) {
        const { start, end } = stepsOfRound(plan, round);
        expect(start).toBe(at);
        expect(end).toBeGreaterThan(start);
        at = end;
      }
      expect(at).toBe(plan.steps);
      // Each step of the smallest shard has a row.
      expect(plan.stepsPerEpoch).toBeLessThanOrEqual(Math.floor(options.rows / options.shards));
    }),
  );
});

test('a step of several batches has as many rows as they have together, and fewer where a shard has no more', () => {
  const job = { rows: 1000, shards: 2, batchSize: 50, accumulate: 1, epochs: 3, localSteps: 4 };
  expect(planRounds(job)).toEqual({ stepsPerEpoch: 10, steps: 30, localSteps: 4, rounds: 8 });
  expect(planRounds({ ...job, accumulate: 4 })).toMatchObject({ stepsPerEpoch: 3, steps: 9, rounds: 3 });
  expect(planRounds({ ...job, accumulate: 1000 })).toMatchObject({ stepsPerEpoch: 1, steps: 3, rounds: 1 });
});
