/** A shard whose function runs out of time is gone on with by others, to the bits of an undisturbed run. */
import { describe, expect, test } from 'vitest';
import { jobPlanKey, shardPartKey } from '../../../core/contracts/keys.ts';
import { decodeSafetensors, encodeSafetensors } from '../../../core/tensors/safetensors.ts';
import { coldCaches, JOB } from './world.ts';
import { clockwork, type ClockworkOptions } from './clockwork.ts';

const LONG = { epochs: 24, strategy: { kind: 'local-sgd', localSteps: 12 } } as const;
const END_MS = 60_000;
const STEP_MS = 1_000;

/** A function of which each look at the clock finds another second gone: one a step. */
function timed(seconds: number): NonNullable<ClockworkOptions['delivery']> {
  return (task) => {
    if (task.kind !== 'shard') return {};
    let left = seconds * STEP_MS;
    return { remainingMs: () => (left -= STEP_MS) };
  };
}

async function course(options: ClockworkOptions) {
  const job = await clockwork({ ...options, spec: LONG });
  await job.run();
  expect(await job.result()).toMatchObject({ status: 'succeeded' });
  const commits = await Promise.all([job.commit(0), job.commit(1)]);
  return {
    job,
    bytes: commits.map((commit) => [
      commit?.state,
      commit?.loss,
      commit?.metrics,
      commit?.shards.map(({ sha256 }) => sha256),
    ]),
    parts: job.handled.filter(({ task }) => task.kind === 'shard' && task.part !== undefined).length,
    commits,
  };
}

describe('handing on', () => {
  test('does not happen where there is time', async () => {
    expect((await course({ delivery: timed(END_MS) })).parts).toBe(0);
  });

  test.each([11, 13, 17])('changes no bit, %i s a function', async (seconds) => {
    const [undisturbed, handed] = [await course({}), await course({ delivery: timed(seconds) })];
    expect(handed.parts).toBeGreaterThanOrEqual(4);
    expect(handed.bytes).toEqual(undisturbed.bytes);
    // All the executions that an update took are on its bill.
    const invocations = handed.commits.map((commit) => commit?.shards[0]?.usage?.invocations ?? 0);
    expect(Math.min(...invocations)).toBeGreaterThanOrEqual(2);
    // And each is told, one after the other.
    for (const shard of handed.commits.flatMap((commit) => commit?.shards ?? [])) {
      const executions = shard.executions ?? [];
      expect(executions).toHaveLength(shard.usage?.invocations ?? NaN);
      const ends = executions.map(({ at, seconds }) => at + seconds);
      expect(executions.slice(1).every(({ at }, i) => at > ends[i]! - 1e-6)).toBe(true);
    }
  });

  test('makes some way however little time there is', async () => {
    const handed = await course({ delivery: timed(2) });
    // One step each.
    expect(handed.parts).toBe(2 * 2 * 11);
    expect(handed.bytes).toEqual((await course({})).bytes);
  });

  test('survives a death after the checkpoint: whoever comes next goes on from there', async () => {
    let died = false;
    const handed = await course({
      delivery: timed(13),
      dies: (task) => {
        if (died || task.kind !== 'shard' || task.part !== 2) return false;
        died = true;
        return true;
      },
    });
    expect(died).toBe(true);
    expect(handed.bytes).toEqual((await course({})).bytes);
  });
});

test('a checkpoint that was trained from another state is not gone on from', async () => {
  const job = await clockwork({ spec: LONG, delivery: timed(13) });
  const key = shardPartKey(JOB, 0, 0, 1);
  await job.run(async () => (await job.store.head(key)) !== undefined);
  const { tensors, metadata } = decodeSafetensors((await job.store.get(key))!.body);
  job.store.tamper(key, encodeSafetensors(tensors, { ...metadata, base: 'f'.repeat(64) }));
  await job.run();
  expect(await job.result()).toMatchObject({
    status: 'failed',
    reason: expect.stringMatching(/checkpoint 1 of shard 0 in round 0 was trained from another state/),
  });
  // No other try would find another one.
  expect(job.handled.filter(({ receives }) => receives > 1)).toEqual([]);
});

test('a shard that is not of the plan is refused for good', async () => {
  const job = await clockwork();
  await job.run(async () => (await job.store.head(jobPlanKey(JOB))) !== undefined);
  job.due.splice(0);
  await job.queue.send([{ v: 1, kind: 'shard', job: JOB, round: 0, shard: 7 }]);
  await job.run();
  expect(await job.result()).toMatchObject({
    status: 'failed',
    reason: expect.stringMatching(/has no shard 7$/),
  });
  expect(job.handled.filter(({ receives }) => receives > 1)).toEqual([]);
});

test('a warm function reads the model it was given once, and the merged state it made never', async () => {
  const reads = async (context: ClockworkOptions['context']) => {
    const job = await clockwork({ spec: LONG, ...(context === undefined ? {} : { context }) });
    const seen: string[] = [];
    job.observe((operation, key) => {
      if (operation === 'get') seen.push(key);
    });
    await job.run();
    const states = [(await job.commit(0))?.base, (await job.commit(0))?.state];
    return states.map((state) => seen.filter((key) => key === `blobs/sha256/${state}`).length);
  };
  // Two shards a round; the first state comes from the plan.
  expect(await reads({ caches: coldCaches() })).toEqual([1, 0]);
  const forgetful = { get: () => undefined, set: () => undefined, delete: () => undefined };
  expect(await reads({ caches: { ...coldCaches(), states: forgetful } })).toEqual([2, 2]);
});
