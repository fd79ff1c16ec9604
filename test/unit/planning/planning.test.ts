import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TrainRequest } from '../../../core/contracts/job.ts';
import { functionsFor, shares } from '../../../core/planning/capacity.ts';
import { oneMachine } from '../../../core/planning/one-machine.ts';
import { AWS, C7G_MEDIUM, localPlatform, type Platform } from '../../../core/planning/platform.ts';
import { simulate } from '../../../core/planning/simulate.ts';
import { computeSeconds, trafficOfWorkload } from '../../../core/planning/workload.ts';
import { workload } from './jobs.ts';

const STRATEGIES: readonly Partial<TrainRequest>[] = [
  { strategy: { kind: 'all-reduce' } },
  { strategy: { kind: 'local-sgd', localSteps: 64 } },
  { strategy: { kind: 'local-sgd', localSteps: 64, mergers: 3 } },
  { strategy: { kind: 'diloco', localSteps: 64 }, compression: { values: 'int8', download: 'fp16' } },
  { strategy: { kind: 'bounded-staleness', localSteps: 64, staleness: 2 } },
];
const SMOOTH = { ...AWS, slowness: 1 };

describe('a simulated job', () => {
  it.each(STRATEGIES)(
    'is the same for the same seed, and takes at least its steps: $strategy',
    async (given) => {
      for (const shards of [1, 4, 32]) {
        const work = await workload({ ...given, shards });
        const prediction = simulate(work, SMOOTH, 7);
        expect(simulate(work, SMOOTH, 7)).toEqual(prediction);
        expect(simulate(work, SMOOTH, 8).seconds).not.toBe(prediction.seconds);
        // Rounds that overlap have that many times the functions.
        const functions = shards * (work.staleness + 1);
        expect(prediction.seconds).toBeGreaterThanOrEqual(computeSeconds(work) / functions);
        expect(prediction.spent.functionSeconds).toBeGreaterThanOrEqual(prediction.metered.functionSeconds);
        expect(prediction.metered.functionSeconds).toBeGreaterThanOrEqual(prediction.computeSeconds);
      }
    },
  );

  it('never moves fewer bytes a round with more shards', () =>
    fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...STRATEGIES),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 40 }),
        async (given, shards, more) => {
          const perRound = async (count: number) => {
            const work = await workload({ ...given, shards: count }, 300);
            const { up, down, mergeRead, mergeWritten } = trafficOfWorkload(work);
            return (up + down + mergeRead + mergeWritten) / work.plan.rounds;
          };
          // What shards kept is not read in a job's first round: with fewer rounds that weighs more.
          expect(await perRound(shards + more)).toBeGreaterThan((await perRound(shards)) * 0.95);
        },
      ),
      { numRuns: 25 },
    ));

  it('with one shard is one machine, and what queue and store take', async () => {
    const work = await workload({ shards: 1, strategy: { kind: 'local-sgd', localSteps: 256 } });
    const { seconds, rounds } = simulate(work, SMOOTH, 1);
    const alone = oneMachine(work, C7G_MEDIUM, SMOOTH).seconds - C7G_MEDIUM.start;
    expect(seconds).toBeGreaterThan(alone);
    // Some ten requests after one another in a round, of up to 0.2 s, and two messages.
    expect(seconds - alone).toBeLessThan((rounds + 4) * 4);
  });

  it('is quicker with more shards until rounds are nothing but waiting', async () => {
    const seconds = async (shards: number) =>
      simulate(await workload({ shards, strategy: { kind: 'local-sgd', localSteps: 256 } }), AWS, 3).seconds;
    const [one, eight] = [await seconds(1), await seconds(8)];
    expect(eight).toBeLessThan(one / 5);
  });

  it('counts the rounds it leaves out like those it runs', async () => {
    const given = { strategy: { kind: 'local-sgd', localSteps: 4 }, shards: 4 } as const;
    const short = simulate(await workload({ ...given, epochs: 1 }), SMOOTH, 1);
    const long = simulate(await workload({ ...given, epochs: 4 }), SMOOTH, 1);
    expect(long.rounds).toBe(4 * short.rounds);
    const ratio = (of: (prediction: typeof short) => number) => of(long) / of(short);
    expect(Math.abs(ratio(({ metered }) => metered.writes) - 4)).toBeLessThan(0.1);
    expect(Math.abs(ratio(({ seconds }) => seconds) - 4)).toBeLessThan(0.2);
    expect(Math.abs(ratio(({ spent }) => spent.dollars) - 4)).toBeLessThan(0.2);
  });

  it('ends though functions die, by copies and the queue, and is slower for it', async () => {
    const work = await workload({ shards: 8, strategy: { kind: 'local-sgd', localSteps: 64 } });
    const calm = simulate(work, AWS, 5);
    const deadly = simulate(work, { ...AWS, deaths: 0.1 }, 5);
    expect(calm.copies).toBe(0);
    expect(deadly.copies).toBeGreaterThan(0);
    expect(deadly.seconds).toBeGreaterThan(calm.seconds);
  });

  it('does not wait for a straggler it can do without', async () => {
    const given = { shards: 8, epochs: 1, strategy: { kind: 'local-sgd', localSteps: 512 } } as const;
    // What is delivered again comes after an hour and a half; lost are shards after ten seconds.
    const platform = { ...AWS, deaths: 0.3, watchSeconds: 5 };
    const all = simulate(await workload(given), platform, 2);
    const most = simulate(await workload({ ...given, quorum: 4 }), platform, 2);
    expect(most.seconds).toBeLessThan(all.seconds);
  });

  it('takes what is read and what is written at rates of their own', async () => {
    const work = await workload({ shards: 2 });
    const seconds = (bytesPerSecond: Platform['bytesPerSecond']) =>
      simulate(work, { ...AWS, bytesPerSecond }, 1).seconds;
    const quick = seconds({ read: 1e9, written: 1e9 });
    expect(seconds({ read: 1e9, written: 1e5 })).toBeGreaterThan(quick);
    expect(seconds({ read: 1e5, written: 1e9 })).toBeGreaterThan(quick);
  });

  it('has as many functions at once as the platform gives', async () => {
    const platform = localPlatform({
      read: 0.002,
      write: 0.002,
      send: 0.002,
      bytesPerSecond: { read: 1e9, written: 1e9 },
      concurrency: 2,
    });
    const work = await workload({ shards: 8 });
    const { seconds, coldStarts } = simulate(work, platform, 1);
    expect(coldStarts).toBe(2);
    expect(seconds).toBeGreaterThanOrEqual(computeSeconds(work) / 2);
  });
});

describe('the first estimate', () => {
  it('is R = Q / C, in whole functions', () => {
    expect(functionsFor(3600, 600)).toBe(6);
    expect(functionsFor(3601, 600)).toBe(7);
    expect(functionsFor(0, 600)).toBe(1);
    expect(() => functionsFor(10, 0)).toThrow(/0 s each/);
  });

  it('shares by capacity and availability', () => {
    expect(shares([{ capacity: 1 }, { capacity: 3 }])).toEqual([0.25, 0.75]);
    expect(shares([{ capacity: 2, availability: 0.5 }, { capacity: 1 }])).toEqual([0.5, 0.5]);
    expect(() => shares([{ capacity: 1, availability: 0 }])).toThrow(/nobody/);
  });

  it('is never more than what the simulation needs', async () => {
    const given = { strategy: { kind: 'local-sgd', localSteps: 256 } } as const;
    const deadline = 60;
    const work = await workload({ ...given, shards: 1 });
    const estimate = functionsFor(computeSeconds(work), deadline);
    for (let shards = 1; shards < estimate; shards++)
      expect(simulate(await workload({ ...given, shards }), SMOOTH, 1).seconds).toBeGreaterThan(deadline);
  });
});
