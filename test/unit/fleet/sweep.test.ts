/** Jobs of which no message is left, and faults that outlast a message: the real handlers and the sweep, in virtual time. */
import { describe, expect, test } from 'vitest';
import { jobResultKey, jobRevivalKey, releaseKey } from '../../../core/contracts/keys.ts';
import { Fault } from '../../../core/errors.ts';
import { writeControl, UNTOUCHED } from '../../../core/jobs/control.ts';
import { STALLED_S, sweepJobs } from '../../../core/jobs/sweep.ts';
import { putJson } from '../../../core/storage/json.ts';
import { clockwork, type ClockworkOptions, MERGED_BY_MESSAGE } from './clockwork.ts';
import { JOB } from './world.ts';

async function swept(options: ClockworkOptions = {}) {
  const job = await clockwork(options);
  const sweep = (stalledSeconds = STALLED_S) =>
    sweepJobs({ store: job.store, queue: job.queue, now: () => new Date(job.now()), stalledSeconds });
  return { ...job, sweep };
}

const plain = async () => {
  const job = await clockwork();
  await job.run();
  return (await job.commit(1))?.state;
};

describe('a job whose messages are all lost', () => {
  test.each(['plan', 'shard', 'merge', 'release'])(
    'is announced again after a while, before any %s, and ends with the same bytes',
    async (kind) => {
      const job = await swept(kind === 'merge' ? MERGED_BY_MESSAGE : {});
      await job.run(() => job.due.some(({ task }) => task.kind === kind));
      job.due.splice(0);
      expect((await job.sweep()).revived).toEqual([]);
      job.wait(STALLED_S + 1);
      expect(await job.sweep()).toMatchObject({ revived: [JOB], failed: [], faults: [] });
      expect((await job.sweep()).revived).toEqual([]);
      await job.run();
      expect(await job.result()).toMatchObject({ status: 'succeeded', release: 1 });
      expect((await job.commit(1))?.state).toBe(await plain());
    },
  );

  test('is announced once by two sweeps at the same time', async () => {
    const job = await swept();
    await job.run(async () => (await job.commit(0)) !== undefined);
    job.due.splice(0);
    job.wait(STALLED_S + 1);
    const both = await Promise.all([job.sweep(), job.sweep()]);
    expect(both.flatMap(({ revived }) => revived)).toEqual([JOB]);
    expect(job.due).toHaveLength(1);
  });

  test('is given up after eight times from which nothing came, and may be redriven', async () => {
    const job = await swept({ dies: () => true });
    for (let n = 0; n < 8; n++) {
      await job.run();
      job.wait(STALLED_S + 1);
      expect((await job.sweep()).revived, `revival ${n + 1}`).toEqual([JOB]);
    }
    await job.run();
    job.wait(STALLED_S + 1);
    expect(await job.sweep()).toMatchObject({ revived: [], failed: [JOB] });
    expect(await job.result()).toMatchObject({ status: 'failed', reason: expect.stringMatching(/8 times/) });
    // A redrive starts counting anew.
    const at = new Date(job.now()).toISOString();
    await writeControl(job.store, { v: 1, job: JOB, at, action: 'redrive' }, UNTOUCHED);
    expect((await job.sweep()).revived).toEqual([]);
    job.wait(STALLED_S + 1);
    expect((await job.sweep()).revived).toEqual([JOB]);
  });
});

describe('the sweep leaves alone', () => {
  test('a job that lives: swept before each message, as if silent, it is the same job', async () => {
    const job = await swept();
    let sweeps = 0;
    await job.run(async () => {
      if ((await job.result()) === undefined && sweeps++ < 40) await job.sweep(0);
      return false;
    });
    expect(await job.result()).toMatchObject({ status: 'succeeded', release: 1 });
    expect(await job.store.head(releaseKey('m', 2))).toBeUndefined();
    expect((await job.commit(1))?.state).toBe(await plain());
    expect(job.due).toEqual([]);
  });

  test('one whose watch still looks, though nothing else comes of it', async () => {
    const job = await swept({ dies: (task) => task.kind === 'shard' });
    await job.run(async () => {
      expect((await job.sweep()).revived).toEqual([]);
      return false;
    });
    expect(await job.result()).toMatchObject({
      status: 'failed',
      reason: expect.stringMatching(/gave no update/),
    });
    expect(await job.store.head(jobRevivalKey(JOB, 1))).toBeUndefined();
  });

  test.each<[string, (job: Awaited<ReturnType<typeof swept>>) => Promise<unknown>]>([
    [
      'paused',
      (job) =>
        writeControl(
          job.store,
          { v: 1, job: JOB, at: new Date(job.now()).toISOString(), action: 'pause' },
          UNTOUCHED,
        ),
    ],
    [
      'cancelled',
      (job) =>
        putJson(
          job.store,
          jobResultKey(JOB),
          { v: 1, job: JOB, status: 'cancelled', endedAt: new Date(job.now()).toISOString() },
          'create',
        ),
    ],
  ])('one that is %s', async (_, act) => {
    const job = await swept();
    await job.run(async () => (await job.commit(0)) !== undefined);
    await act(job);
    job.due.splice(0);
    job.wait(10 * STALLED_S);
    expect((await job.sweep()).revived).toEqual([]);
    expect(job.due).toEqual([]);
  });

  test('one that is poisoned: its result is its end', async () => {
    const job = await swept({ spec: { shards: 4 }, broken: Math.fround(3 / 7) });
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'failed' });
    job.wait(10 * STALLED_S);
    expect(await job.sweep()).toMatchObject({ revived: [], failed: [] });
  });

  test('those that ended for good, without a request more', async () => {
    const job = await swept();
    await job.run();
    const { ended } = await job.sweep();
    expect(ended).toEqual(new Set([JOB]));
    const { calls } = job.store;
    const before = calls.get + calls.head;
    const again = await sweepJobs({ store: job.store, queue: job.queue, now: () => new Date(), ended });
    expect(again).toMatchObject({ looked: 0, ended });
    expect(calls.get + calls.head).toBe(before);
  });
});

test('a document that cannot be read is told, and does not keep the sweep from other jobs', async () => {
  const job = await swept();
  job.store.tamper('index/jobs/00000000000000-job_00000002', new TextEncoder().encode('{}'));
  job.store.tamper(jobResultKey('job_00000002'), new TextEncoder().encode('{'));
  job.due.splice(0);
  job.wait(STALLED_S + 1);
  const { revived, faults } = await job.sweep();
  expect(revived).toEqual([JOB]);
  expect(faults).toEqual([{ job: 'job_00000002', reason: expect.stringMatching(/is not JSON/) }]);
});

describe("a fault that lasts until a message's fifth delivery", () => {
  /** @param what is thrown at each read of rows, while `lasts` */
  const failing = async (what: () => unknown, lasts: { now: boolean }) => {
    const job = await swept();
    job.observe((operation, key) => {
      if (lasts.now && operation === 'get' && /^datasets\/.*\.safetensors$/.test(key)) throw what();
    });
    return job;
  };

  test('and is the store’s costs messages, and not the job', async () => {
    const lasts = { now: true };
    const job = await failing(() => new Fault('unavailable', 'slow down'), lasts);
    await job.run(() => job.dead.length >= 2);
    expect(job.dead.map(({ task }) => task.kind)).toEqual(['shard', 'shard']);
    expect(await job.result()).toBeUndefined();
    lasts.now = false;
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'succeeded' });
    expect((await job.commit(1))?.state).toBe(await plain());
  });

  test.each<[string, unknown]>([
    ['of what is stored', new Fault('internal', 'blob is corrupt')],
    ['of the code', new TypeError('no such thing')],
  ])('and is a fault %s ends the job', async (_, thrown) => {
    const job = await failing(() => thrown, { now: true });
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'failed', reason: expect.stringMatching(/^shard/) });
  });

  test('and takes the watch with it: the sweep has the job go on', async () => {
    const job = await swept();
    let lasts = true;
    job.observe(() => {
      if (lasts) throw new Fault('unavailable', 'the bucket cannot be reached');
    });
    await job.run();
    // Planning and the watch of the plan, each after five deliveries.
    expect(job.dead.map(({ task }) => task.kind).sort()).toEqual(['plan', 'watch']);
    expect(await job.result()).toBeUndefined();
    lasts = false;
    job.wait(STALLED_S + 1);
    expect((await job.sweep()).revived).toEqual([JOB]);
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'succeeded' });
    expect((await job.commit(1))?.state).toBe(await plain());
  });
});
