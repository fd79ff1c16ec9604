import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchesOf, batchGatherer, batchOrder, rowCount } from '../../../cloud/training/engine/batches.ts';
import { Fault } from '../../../core/errors.ts';
import { part, planRounds } from '../../../core/jobs/schedule.ts';

const PLAN = { rows: 23, stepsPerEpoch: 4, seed: 9, shard: 2 };
const epochOf = (plan: typeof PLAN, epoch: number) => {
  const order = batchOrder(plan);
  return Array.from({ length: plan.stepsPerEpoch }, (_, i) => [...order(epoch * plan.stepsPerEpoch + i)]);
};

describe('batches', () => {
  it('take every row once an epoch, in batches of nearly one size', () => {
    for (const epoch of [0, 1, 7]) {
      const batches = epochOf(PLAN, epoch);
      expect(batches.flat().toSorted((a, b) => a - b)).toEqual(Array.from({ length: 23 }, (_, i) => i));
      expect(new Set(batches.map((batch) => batch.length))).toEqual(new Set([5, 6]));
    }
  });

  it('depend on seed, shard and epoch, and on nothing asked before', () => {
    const order = batchOrder(PLAN);
    order(17);
    order(0);
    expect([...order(5)]).toEqual(epochOf(PLAN, 1)[1]);
    const all = [
      epochOf(PLAN, 0),
      epochOf(PLAN, 1),
      epochOf({ ...PLAN, seed: 10 }, 0),
      epochOf({ ...PLAN, shard: 3 }, 0),
    ];
    expect(new Set(all.map((epoch) => epoch.join())).size).toBe(4);
  });

  it('of accumulated steps take every row once an epoch too, none larger than asked where a shard has the rows', () => {
    const job = fc.record({
      rows: fc.integer({ min: 8, max: 2_000 }),
      shards: fc.integer({ min: 1, max: 8 }),
      batchSize: fc.integer({ min: 2, max: 64 }),
      accumulate: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(job, (drawn) => {
        const { stepsPerEpoch } = planRounds({ ...drawn, epochs: 1, localSteps: 1 });
        for (let shard = 0; shard < drawn.shards; shard++) {
          const { start, end } = part(drawn.rows, drawn.shards, shard);
          const orderOf = batchOrder({ rows: end - start, stepsPerEpoch, seed: 1, shard });
          const seen: number[] = [];
          for (let step = 0; step < stepsPerEpoch; step++) {
            const batches = batchesOf(orderOf(step), drawn.accumulate);
            expect(batches.length).toBeLessThanOrEqual(drawn.accumulate);
            for (const [index, batch] of batches.entries()) {
              expect([batch.index, batch.of]).toEqual([index, batches.length]);
              expect(batch.order.length).toBeGreaterThan(0);
              expect(batch.order.length).toBeLessThanOrEqual(drawn.batchSize);
              seen.push(...batch.order);
            }
          }
          expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: end - start }, (_, i) => i));
        }
      }),
    );
  });

  it('refuse more batches than rows', () => {
    expect(() => batchOrder({ ...PLAN, rows: 3 })).toThrow(/3 rows do not make 4 batches/);
  });

  it.each([
    ['scalars', 1],
    ['bytes that are no words', 3],
    ['words', 8],
    ['long rows', 5000],
  ])('gather %s', (_, width) => {
    const data = Uint8Array.from({ length: 6 * width }, (_, i) => (i * 7 + 3) % 251);
    const label = BigInt64Array.from([0n, 1n, 2n, 3n, 4n, 5n]);
    const rows = {
      x: { dtype: 'U8', shape: [6, width], data },
      y: { dtype: 'I64', shape: [6], data: label },
    } as const;
    const gather = batchGatherer(rows, 4);
    const batch = gather(Uint32Array.of(5, 0, 5));
    expect(batch['x']?.shape).toEqual([3, width]);
    expect(batch['y']).toEqual({ dtype: 'I64', shape: [3], data: BigInt64Array.from([5n, 0n, 5n]) });
    const expected = [5, 0, 5].flatMap((row) => [...data.subarray(row * width, (row + 1) * width)]);
    expect([...batch['x']!.data]).toEqual(expected);
  });

  it('refuse ragged and empty rows', () => {
    const column = (rows: number) => ({ dtype: 'U8', shape: [rows], data: new Uint8Array(rows) }) as const;
    expect(rowCount({ a: column(2), b: column(2) })).toBe(2);
    expect(() => rowCount({ a: column(2), b: column(3) })).toThrow(/b has 3 rows, a has 2/);
    expect(() => rowCount({})).toThrow(Fault);
  });
});
