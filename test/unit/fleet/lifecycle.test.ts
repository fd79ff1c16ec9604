/** Pause, resume, redrive, cancel, deadlines and budgets: the API and the handlers, in virtual time. */
import { describe, expect, test } from 'vitest';
import { TrainView } from '../../../core/contracts/job.ts';
import { asking } from './api.ts';
import { clockwork, type ClockworkOptions, MERGED_BY_MESSAGE } from './clockwork.ts';
import { JOB } from './world.ts';

async function withApi(options: ClockworkOptions = {}) {
  const job = await clockwork(options);
  return { ...job, ...asking(job, (answer) => TrainView.parse(answer)) };
}

const plain = async () => {
  const job = await clockwork();
  await job.run();
  return (await job.commit(1))?.state;
};

describe('a paused job', () => {
  test('empties the queue and keeps still, and resumed ends with the same bytes', async () => {
    const job = await withApi();
    await job.run(async () => (await job.commit(0)) !== undefined);
    expect((await job.ask('POST', '/pause')).view?.status).toBe('paused');
    await job.run();
    expect(await job.result()).toBeUndefined();
    expect(job.due).toEqual([]);
    expect(await job.commit(1)).toBeUndefined();
    expect((await job.ask('POST', '/resume')).view?.status).toBe('running');
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'succeeded' });
    expect((await job.commit(1))?.state).toBe(await plain());
  });

  test.each(['plan', 'shard', 'merge', 'release'])('goes on where it was before any %s', async (kind) => {
    const job = await withApi(kind === 'merge' ? MERGED_BY_MESSAGE : {});
    await job.run(() => job.due.some(({ task }) => task.kind === kind));
    await job.ask('POST', '/pause');
    await job.run();
    expect(job.due).toEqual([]);
    await job.ask('POST', '/resume');
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'succeeded' });
    expect((await job.commit(1))?.state).toBe(await plain());
  });

  test('is paused once, however often that is said, and can be cancelled', async () => {
    const job = await withApi();
    await job.ask('POST', '/pause');
    await job.ask('POST', '/pause');
    expect(await job.store.head(`jobs/${JOB}/control/2.json`)).toBeUndefined();
    expect((await job.ask('DELETE')).view?.status).toBe('cancelled');
    expect((await job.ask('POST', '/resume')).status).toBe(409);
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'cancelled' });
  });
});

test('resuming a job that runs sets one going whose messages are all lost', async () => {
  const job = await withApi();
  await job.run(async () => (await job.commit(0)) !== undefined);
  job.due.splice(0);
  expect((await job.ask('POST', '/resume')).view?.status).toBe('running');
  await job.run();
  expect(await job.result()).toMatchObject({ status: 'succeeded' });
});

describe('redriving', () => {
  const poison = { spec: { shards: 4 }, broken: Math.fround(3 / 7) };

  test('does the missing work of a failed job again, and takes its dead letters out', async () => {
    let broken = true;
    const job = await withApi({
      spec: { shards: 4 },
      // A function that is killed each time, until it is deployed with more memory.
      dies: (task) => broken && task.kind === 'shard' && task.shard === 1,
    });
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'failed' });
    expect(job.dead.length).toBeGreaterThan(0);
    const before = job.handled.length;
    broken = false;
    const { view } = await job.ask('POST', '/redrive');
    expect(view).toMatchObject({ status: 'running', result: null });
    expect(job.exhumed).toEqual([JOB]);
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'succeeded', release: 1 });
    const again = job.handled.slice(before).filter(({ task }) => task.kind === 'shard' && task.round === 0);
    expect(again.map(({ task }) => task)).toEqual([expect.objectContaining({ shard: 1 })]);
    expect((await job.ask('GET')).view?.status).toBe('succeeded');
  });

  test('what is poisoned still fails again, as a run of its own', async () => {
    const job = await withApi(poison);
    await job.run();
    await job.ask('POST', '/redrive');
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'failed', reason: expect.stringMatching(/shard 1/) });
    expect((await job.ask('POST', '/redrive')).view?.status).toBe('running');
  });

  test('is refused where nothing failed', async () => {
    const job = await withApi();
    expect((await job.ask('POST', '/redrive')).status).toBe(409);
    await job.run();
    expect((await job.ask('POST', '/redrive')).status).toBe(409);
    expect((await job.ask('POST', '/explode')).status).toBe(404);
    expect((await job.ask('POST', '/constructor')).status).toBe(404);
  });
});

describe('limits', () => {
  test.each([
    ['functionSeconds', { functionSeconds: 0.35 }],
    ['requests', { requests: 40 }],
    ['dollars', { dollars: 1e-5 }],
  ])('a budget of %s stops the job between two rounds, and keeps what was trained', async (limit, budget) => {
    const job = await withApi({ spec: { budget, epochs: 20 }, context: { memoryGb: 1 } });
    await job.run();
    const result = await job.result();
    expect(result).toMatchObject({
      status: 'stopped',
      limit,
      reason: expect.stringMatching(/^the budget of/),
    });
    if (result?.status !== 'stopped') throw new Error('unreachable');
    expect(result.rounds).toBeGreaterThan(0);
    expect(result.rounds).toBeLessThan(10);
    expect((await job.commit(result.rounds - 1))?.state).toBe(result.state);
    expect(await job.commit(result.rounds)).toBeUndefined();
    expect(job.due).toEqual([]);
  });

  test('a deadline stops it, whatever it waits for', async () => {
    const job = await withApi({ spec: { deadlineSeconds: 50 }, dies: (task) => task.kind === 'shard' });
    await job.run();
    const result = await job.result();
    expect(result).toMatchObject({ status: 'stopped', limit: 'deadline', rounds: 0 });
    const { acceptedAt } = (await job.ask('GET')).view ?? {};
    const lasted = (Date.parse(result?.endedAt ?? '') - Date.parse(acceptedAt ?? '')) / 1000;
    expect(lasted).toBeGreaterThanOrEqual(50);
    expect(lasted).toBeLessThan(52);
  });

  test('with more a redrive goes on to the same bytes', async () => {
    const job = await withApi({ spec: { budget: { functionSeconds: 0.35 } } });
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'stopped' });
    expect((await job.ask('POST', '/redrive', { budget: { functionSeconds: -1 } })).status).toBe(400);
    await job.ask('POST', '/redrive', { budget: { functionSeconds: 100 } });
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'succeeded' });
    expect((await job.commit(1))?.state).toBe(await plain());
    expect((await job.ask('GET')).view?.spent?.functionSeconds).toBeGreaterThan(0.5);
  });
});
