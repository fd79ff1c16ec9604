/** Rounds with slow, dead and poisoned shards: the real handlers, in virtual time. */
import { describe, expect, test } from 'vitest';
import type { Task } from '../../../core/contracts/task.ts';
import { JobPlan, TrainView } from '../../../core/contracts/job.ts';
import { jobPlanKey, shardUpdateKey } from '../../../core/contracts/keys.ts';
import { Fault } from '../../../core/errors.ts';
import { viewJob } from '../../../core/jobs/view.ts';
import { decodeState, encodeState } from '../../../core/jobs/state.ts';
import { decodeSafetensors } from '../../../core/tensors/safetensors.ts';
import { getJson } from '../../../core/storage/json.ts';
import { clockwork } from './clockwork.ts';
import { JOB, START } from './world.ts';

const isShard = (task: Task, shard: number) => task.kind === 'shard' && task.shard === shard;
const viewOf = async (job: Awaited<ReturnType<typeof clockwork>>) =>
  TrainView.parse(await viewJob(job.store, JOB, new Date(job.now())));
/** Rows 3 of 12: in the second of four shards. */
const POISON = Math.fround(3 / 7);

describe('an undisturbed job', () => {
  test('handles each task once, and leaves nothing in the queue but watches that end', async () => {
    const job = await clockwork();
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'succeeded', release: 1 });
    const kinds = Object.groupBy(job.handled, ({ task }) => task.kind);
    expect(Object.entries(kinds).map(([kind, tasks]) => [kind, tasks.length])).toEqual([
      ['plan', 1],
      ['shard', 4],
      ['release', 1],
      ['watch', expect.any(Number)],
    ]);
    expect(job.due).toEqual([]);
  });

  test('says in its commits what it took', async () => {
    const job = await clockwork({ context: { memoryGb: 2 } });
    await job.run();
    const [first, second] = [await job.commit(0), await job.commit(1)];
    expect(first?.shards.map(({ usage }) => usage?.functionSeconds)).toEqual([0.1, 0.1]);
    expect(first?.spent?.gbSeconds).toBeCloseTo(2 * (first?.spent?.functionSeconds ?? NaN), 9);
    expect(second?.spent?.functionSeconds).toBeGreaterThan(first?.spent?.functionSeconds ?? NaN);
    expect(second?.spent?.dollars).toBeGreaterThan(0);
  });
});

describe('a shard whose function dies each time', () => {
  test('is left out at the quorum, and the commit says who was in', async () => {
    const job = await clockwork({ spec: { shards: 4, quorum: 3 }, dies: (task) => isShard(task, 2) });
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'succeeded' });
    const [first, second] = [await job.commit(0), await job.commit(1)];
    expect(first?.shards.map(({ shard }) => shard)).toEqual([0, 1, 3]);
    expect(first?.missing).toEqual([2]);
    const lost = [{ shard: 2, rounds: 2, reason: 'it gave no update in time' }];
    expect(await viewOf(job)).toMatchObject({ lost });
    // Not before it counts as lost, and soon after.
    const open = Date.parse(second?.committedAt ?? '') - Date.parse(first?.committedAt ?? '');
    expect(open / 1000).toBeGreaterThanOrEqual(60);
    expect(open / 1000).toBeLessThan(62);
  });

  test('has copies sent before, ever more rarely', async () => {
    const job = await clockwork({ spec: { shards: 4, quorum: 3 }, dies: (task) => isShard(task, 2) });
    await job.run(async () => (await job.commit(0)) !== undefined);
    const sent = job.handled.filter(({ task, receives }) => isShard(task, 2) && receives === 1);
    const waits = sent.slice(1).map(({ at }, i) => at - (sent[i]?.at ?? NaN));
    expect(waits.length).toBeGreaterThanOrEqual(2);
    // The first comes at the first look; then each waits twice as long as the one before.
    expect(waits.slice(1)).toEqual(waits.slice(1).toSorted((a, b) => a - b));
    expect((waits.at(-1) ?? 0) / (waits.at(1) ?? NaN)).toBeGreaterThanOrEqual(1.9 ** (waits.length - 2));
  });

  test('fails a job that cannot do without it, which then ends and says which shard', async () => {
    const job = await clockwork({ spec: { shards: 4 }, dies: (task) => isShard(task, 2) });
    await job.run();
    expect(await job.result()).toMatchObject({
      status: 'failed',
      reason: expect.stringMatching(/^round 0: shards 2 gave no update/),
    });
    expect(job.due).toEqual([]);
    expect(job.dead.every(({ task }) => isShard(task, 2))).toBe(true);
  });
});

test('watches that are delivered twice, each time, stay one chain', async () => {
  const job = await clockwork({
    spec: { shards: 4 },
    dies: (task) => isShard(task, 2),
    times: (task) => (task.kind === 'watch' ? 2 : 1),
  });
  await job.run();
  // The chain came to its end all the same.
  expect(await job.result()).toMatchObject({ status: 'failed', reason: expect.stringMatching(/^round 0/) });
  const looks = job.handled.flatMap(({ task }) => (task.kind === 'watch' ? [task.number ?? 1] : []));
  const last = Math.max(...looks);
  expect(last).toBeGreaterThan(6);
  for (let number = 2; number <= last; number++)
    expect(looks.filter((each) => each === number).length, `look ${number}`).toBe(2);
});

test('a watch whose function dies after it looked goes on when it is delivered again', async () => {
  let died = false;
  const job = await clockwork({ spec: { shards: 4 }, dies: (task) => isShard(task, 2) });
  job.observe((operation, key) => {
    if (died || operation !== 'head' || !key.includes('/shards/')) return;
    // The look is written by then, and its successor not yet sent.
    if (job.handled.at(-1)?.task.kind !== 'watch') return;
    died = true;
    throw new Fault('unavailable', 'killed');
  });
  await job.run();
  expect(died).toBe(true);
  expect(await job.result()).toMatchObject({ status: 'failed', reason: expect.stringMatching(/^round 0/) });
});

describe('a slow shard', () => {
  test('gets a copy long before it would be lost, which changes no byte', async () => {
    const plain = await clockwork({ spec: { shards: 4 } });
    await plain.run();
    let first = true;
    const job = await clockwork({
      spec: { shards: 4 },
      context: { place: 'fleet-1' },
      // The first execution is never heard of again, as one on a stuck machine.
      dies: (task) => {
        if (!first || !isShard(task, 1)) return false;
        first = false;
        return true;
      },
    });
    await job.run();
    const round = job.handled.filter(({ task }) => isShard(task, 1));
    // 100 ms a shard: after five seconds at the first look, not after the visibility timeout of 30.
    expect(round[1]?.at).toBeLessThan(25);
    expect((await job.commit(1))?.state).toBe((await plain.commit(1))?.state);
    expect((await job.commit(0))?.missing).toBeUndefined();
    // The commit tells which updates a copy wrote, and where.
    const executions = (await job.commit(0))?.shards.map((shard) => shard.executions);
    const [own, copy] = [{ at: 0, seconds: 0.1, place: 'fleet-1' }, { copy: 1 }];
    expect(executions).toEqual([[own], [{ ...own, ...copy }], [own], [own]]);
  });
});

describe('a poisoned shard', () => {
  test('ends a job that needs it, with the reason, and lies in the dead-letter queue with it', async () => {
    const job = await clockwork({ spec: { shards: 4 }, broken: POISON });
    await job.run();
    const reason = expect.stringMatching(/^shard \(round 0, shard 1\): training diverged: the loss is NaN/);
    expect(await job.result()).toMatchObject({ status: 'failed', reason });
    expect(job.dead).toEqual([{ task: expect.objectContaining({ kind: 'shard', shard: 1 }), reason }]);
    expect(job.due).toEqual([]);
  });

  test('is gone on without at a quorum, at once', async () => {
    const job = await clockwork({ spec: { shards: 4, quorum: 3 }, broken: POISON });
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'succeeded' });
    const reason = expect.stringMatching(/^training diverged: the loss is NaN/);
    expect((await job.commit(0))?.lost).toEqual([{ shard: 1, rounds: 1, reason }]);
    const lost = [{ shard: 1, rounds: 2, reason }];
    expect(await job.commit(1)).toMatchObject({ missing: [1], lost });
    expect(await job.result()).toMatchObject({ lost });
    expect(await viewOf(job)).toMatchObject({ status: 'succeeded', lost });
    expect(Date.parse((await job.commit(1))!.committedAt) - START).toBeLessThan(1000);
    expect(job.dead).toHaveLength(2);
  });

  test('ends a job that says what its shards took, be that no round was closed', async () => {
    const job = await clockwork({ spec: { shards: 4 }, broken: POISON, context: { memoryGb: 2 } });
    // Of four shards the poisoned one is the last to be handled.
    await job.run(() => job.due.filter(({ task }) => task.kind === 'shard').length === 4);
    job.due.sort((a, b) => Number(isShard(a.task, 1)) - Number(isShard(b.task, 1)));
    await job.run();
    expect(await job.commit(0)).toBeUndefined();
    const view = await viewOf(job);
    expect(view).toMatchObject({ status: 'failed', result: { spent: view.spent } });
    // The plan, three updates, and the one that failed, each 0.1 s.
    expect(view.spent?.functionSeconds).toBeCloseTo(0.5, 9);
    expect(view.spent?.invocations).toBe(5);
    expect(view.spent?.dollars).toBeGreaterThan(0);
  });

  test('is told by a job that failed after some rounds, with all that was spent', async () => {
    const job = await clockwork({
      spec: { shards: 4, quorum: 3 },
      broken: POISON,
      dies: (task) => task.kind === 'shard' && task.round === 1 && task.shard > 1,
    });
    await job.run();
    const before = (await job.commit(0))?.spent;
    const view = await viewOf(job);
    expect(view).toMatchObject({ status: 'failed', lost: [{ shard: 1, rounds: 1 }] });
    expect(view.spent?.functionSeconds).toBeGreaterThan(before!.functionSeconds);
  });

  test('is one too many where another is lost', async () => {
    const job = await clockwork({
      spec: { shards: 4, quorum: 3 },
      broken: POISON,
      dies: (task) => isShard(task, 3),
    });
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'failed' });
  });
});

test.each([NaN, Infinity])('an update with %s in it is refused at the merge, by shard', async (bad) => {
  const job = await clockwork({ spec: { shards: 4 } });
  const key = shardUpdateKey(JOB, 0, 2);
  await job.run(async () => (await job.store.head(key)) !== undefined);
  const plan = await getJson(job.store, jobPlanKey(JOB), JobPlan);
  const { body } = (await job.store.get(key))!;
  const state = decodeState(body, plan!.parameters, ['m', 'v']);
  state.parameters[1] = bad;
  job.store.tamper(key, encodeState(state, plan!.parameters, decodeSafetensors(body).metadata));
  await job.run();
  const reason = 'merge (round 0): the update of shard 2 is not finite: training diverged';
  expect(await job.result()).toMatchObject({ status: 'failed', reason });
  expect(await job.commit(0)).toBeUndefined();
});
