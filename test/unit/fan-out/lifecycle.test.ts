/** Pause, resume, redrive, deadlines and budgets of jobs that are split and merged: the API and the handlers, in virtual time. */
import { describe, expect, test } from 'vitest';
import { FanOutPlan, FanOutResult, FanOutView } from '../../../core/contracts/fan-out.ts';
import { jobPlanKey, jobResultKey, jobRevivalKey, partReportKey } from '../../../core/contracts/keys.ts';
import { requestsOf } from '../../../core/costs/usage.ts';
import { announceUnfinished } from '../../../core/jobs/resume.ts';
import { STALLED_S, sweepJobs } from '../../../core/jobs/sweep.ts';
import { getJson } from '../../../core/storage/json.ts';
import { listAll } from '../../../core/storage/list.ts';
import { asking } from '../fleet/api.ts';
import { clockwork, type ClockworkOptions } from '../fleet/clockwork.ts';
import { JOB, prepareBatch } from '../fleet/world.ts';

const PARTS = 6;

async function batch(change: object = {}, options: ClockworkOptions = {}) {
  const job = await clockwork({
    ...options,
    context: { memoryGb: 1, ...options.context },
    prepare: (store) => prepareBatch(store, change),
  });
  const { ask, exhumed } = asking(job, (answer, path) =>
    path === '/timeline' ? undefined : FanOutView.parse(answer),
  );
  return {
    ...job,
    ask,
    exhumed,
    look: async () => (await ask('GET')).view!,
    sweep: () =>
      sweepJobs({
        store: job.store,
        queue: job.queue,
        now: () => new Date(job.now()),
        stalledSeconds: STALLED_S,
      }),
    /** Parts that were begun from the n-th message on. */
    executed: (from = 0) =>
      job.handled.slice(from).flatMap(({ task }) => (task.kind === 'execute' ? [task.part] : [])),
    waiting: (kind: string) => job.due.filter(({ task }) => task.kind === kind).length,
    async outputs(): Promise<string[]> {
      const keys = (await listAll(job.store, `outputs/${JOB}/`)).map(({ key }) => key);
      const bodies = await Promise.all(keys.map(async (key) => (await job.store.get(key))!.body));
      return keys.map((key, i) => `${key} ${Buffer.from(bodies[i]!).toString('base64')}`);
    },
  };
}

/** Parts have no time for the gathering, and announce it. */
const TO_GATHER: ClockworkOptions = {
  delivery: (task) => (task.kind === 'execute' ? { remainingMs: () => 9_000 } : {}),
};

type Job = Awaited<ReturnType<typeof batch>>;

const plain = async () => {
  const job = await batch();
  await job.run();
  return job.outputs();
};

const done = async (job: Job, parts: number) =>
  (await listAll(job.store, `jobs/${JOB}/parts/`)).length >= parts;

describe('a paused job', () => {
  test('empties the queue and keeps still, and resumed ends with the same bytes', async () => {
    const job = await batch();
    await job.run(() => done(job, 2));
    expect((await job.ask('POST', '/pause')).view?.status).toBe('paused');
    await job.run();
    expect(job.due).toEqual([]);
    const paused = await job.look();
    expect(paused).toMatchObject({ status: 'paused', partsDone: 2, result: null });
    expect(paused.spent?.functionSeconds).toBeCloseTo(0.3);
    expect((await job.ask('GET', '/timeline')).answer).toMatchObject({ status: 'paused' });
    const before = job.handled.length;
    expect((await job.ask('POST', '/resume')).view?.status).toBe('running');
    await job.run();
    expect(job.executed(before)).toEqual([2, 3, 4, 5]);
    expect((await job.look()).status).toBe('succeeded');
    expect(await job.outputs()).toEqual(await plain());
  });

  test.each(['plan', 'execute', 'gather'])('goes on where it was before any %s', async (kind) => {
    const job = await batch({}, kind === 'gather' ? TO_GATHER : {});
    await job.run(() => job.waiting(kind) > 0);
    await job.ask('POST', '/pause');
    await job.run();
    expect(job.due).toEqual([]);
    expect((await job.look()).status).toBe('paused');
    expect((await job.store.head(jobPlanKey(JOB))) === undefined).toBe(kind === 'plan');
    await job.ask('POST', '/resume');
    await job.run();
    expect((await job.look()).status).toBe('succeeded');
    expect(await job.outputs()).toEqual(await plain());
  });

  test('what runs writes its report, and is not gathered until the job is resumed', async () => {
    const job = await batch();
    await job.run(() => done(job, PARTS - 1));
    job.observe(async (operation, key) => {
      if (operation === 'put' && key === partReportKey(JOB, PARTS - 1)) await job.ask('POST', '/pause');
    });
    await job.run();
    expect(await job.look()).toMatchObject({ status: 'paused', partsDone: PARTS });
    const before = job.handled.length;
    await job.ask('POST', '/resume');
    await job.run();
    expect(job.executed(before)).toEqual([]);
    expect((await job.look()).status).toBe('succeeded');
    expect(await job.outputs()).toEqual(await plain());
  });

  test('is looked after by one chain of rechecks, whether its last came before it was resumed or not', async () => {
    for (const early of [true, false]) {
      // Parts are lost as often as they are announced: only rechecks go on.
      const job = await batch({}, { dies: ({ kind }) => kind === 'execute' });
      await job.run(() => job.waiting('execute') > 0);
      await job.ask('POST', '/pause');
      if (!early) await job.run();
      await job.ask('POST', '/resume');
      let most = 0;
      await job.run(() => {
        most = Math.max(most, job.waiting('recheck'));
        return job.handled.filter(({ task }) => task.kind === 'recheck').length > 6;
      });
      // That of before, where it still waits, and the one that resuming sent: of the two one goes on.
      expect(most).toBe(early ? 2 : 1);
      expect(job.waiting('recheck')).toBe(1);
    }
  });

  test('is left alone by the sweep, and by rechecks; it can be cancelled', async () => {
    const job = await batch();
    await job.run(() => done(job, 2));
    await job.ask('POST', '/pause');
    await job.ask('POST', '/pause');
    expect(await job.store.head(`jobs/${JOB}/control/2.json`)).toBeUndefined();
    await job.run();
    job.wait(10 * STALLED_S);
    expect((await job.sweep()).revived).toEqual([]);
    // Nor does a stack that starts anew.
    await announceUnfinished(job.store, job.queue);
    expect(job.due).toEqual([]);
    expect((await job.ask('DELETE')).view?.status).toBe('cancelled');
    const resumed = await job.ask('POST', '/resume');
    expect(resumed).toMatchObject({ status: 409, answer: { error: expect.not.stringMatching(/redrive/) } });
  });
});

describe('redriving', () => {
  test('does the missing parts of a failed job again, and takes its dead letters out', async () => {
    let broken = true;
    const job = await batch({}, { dies: (task) => broken && task.kind === 'execute' && task.part === 1 });
    await job.run();
    expect(await job.look()).toMatchObject({ status: 'failed', partsDone: PARTS - 1 });
    expect(job.dead.length).toBeGreaterThan(0);
    expect((await job.ask('POST', '/resume')).status).toBe(409);
    broken = false;
    const before = job.handled.length;
    expect((await job.ask('POST', '/redrive')).view).toMatchObject({ status: 'running', result: null });
    expect(job.exhumed).toEqual([JOB]);
    await job.run();
    expect(job.executed(before)).toEqual([1]);
    expect((await job.look()).status).toBe('succeeded');
    expect(await getJson(job.store, jobResultKey(JOB, 2), FanOutResult)).toMatchObject({
      status: 'succeeded',
    });
    expect(await job.outputs()).toEqual(await plain());
  });

  test('is refused where nothing failed', async () => {
    const job = await batch();
    expect((await job.ask('POST', '/redrive')).status).toBe(409);
    await job.run();
    expect((await job.ask('POST', '/redrive')).status).toBe(409);
  });
});

describe('limits', () => {
  test.each([
    ['functionSeconds', { functionSeconds: 0.35 }],
    ['requests', { requests: 40 }],
    ['dollars', { dollars: 3e-5 }],
  ])('a budget of %s stops the job between two parts, and keeps what was done', async (limit, budget) => {
    const job = await batch({ budget });
    await job.run();
    const view = await job.look();
    expect(view).toMatchObject({
      status: 'stopped',
      result: {
        status: 'stopped',
        limit,
        reason: expect.stringMatching(/^the budget of/),
        parts: view.partsDone,
      },
    });
    expect(view.partsDone).toBeGreaterThan(0);
    expect(view.partsDone).toBeLessThan(PARTS);
    const { spent } = view;
    const used = {
      functionSeconds: spent!.functionSeconds,
      requests: requestsOf(spent!),
      dollars: spent!.dollars,
    };
    const allowed = Object.values(budget)[0]!;
    expect(used[limit as keyof typeof used]).toBeGreaterThanOrEqual(allowed);
    // By no more than the part that was under way.
    expect(used[limit as keyof typeof used]).toBeLessThan(allowed * 1.5);
    expect(job.due).toEqual([]);
    job.wait(10 * STALLED_S);
    expect((await job.sweep()).revived).toEqual([]);
    expect(await job.store.head(jobRevivalKey(JOB, 1))).toBeUndefined();
  });

  test('a budget that the planning spends stops it before any part', async () => {
    const job = await batch({ budget: { requests: 1 } });
    await job.run();
    expect(await job.look()).toMatchObject({ status: 'stopped', partsDone: 0 });
    expect(job.executed()).toEqual([]);
  });

  test('a deadline stops it, whatever it waits for', async () => {
    const job = await batch({ deadlineSeconds: 50 }, { dies: ({ kind }) => kind === 'execute' });
    await job.run();
    const { status, result, acceptedAt } = await job.look();
    expect([status, result?.status === 'stopped' && result.limit]).toEqual(['stopped', 'deadline']);
    const lasted = (Date.parse(result!.endedAt) - Date.parse(acceptedAt)) / 1000;
    expect(lasted).toBeGreaterThanOrEqual(50);
    expect(lasted).toBeLessThan(52);
  });

  test('no part begins after the deadline, though nobody else has looked', async () => {
    const job = await batch({ deadlineSeconds: 50 });
    await job.run(() => job.waiting('execute') === PARTS);
    job.wait(100);
    await job.run();
    expect(await job.look()).toMatchObject({
      status: 'stopped',
      partsDone: 0,
      result: { limit: 'deadline' },
    });
  });

  test('who ends the part that spends the budget stops the job, before another begins', async () => {
    const job = await batch({ budget: { functionSeconds: 0.35 } });
    const hasEnded = async () => (await job.store.head(jobResultKey(JOB))) !== undefined;
    await job.run(hasEnded);
    expect(job.executed()).toHaveLength((await job.look()).partsDone);
  });

  test('a job that is all done but for the gathering is gathered after its deadline', async () => {
    const job = await batch({ deadlineSeconds: 50 }, TO_GATHER);
    await job.run(() => job.waiting('gather') > 0);
    // The message is lost, and the next who looks comes late.
    job.due.splice(0, job.due.length, ...job.due.filter(({ task }) => task.kind === 'recheck'));
    job.wait(100);
    await job.run();
    expect((await job.look()).status).toBe('succeeded');
    expect(await job.outputs()).toEqual(await plain());
  });

  test('with more a redrive goes on to the same bytes, and does nothing again', async () => {
    const job = await batch({ budget: { functionSeconds: 0.35 } });
    await job.run();
    const { partsDone } = await job.look();
    expect((await job.ask('POST', '/redrive', { budget: { functionSeconds: -1 } })).status).toBe(400);
    const before = job.handled.length;
    await job.ask('POST', '/redrive', { budget: { functionSeconds: 100 } });
    await job.run();
    expect(job.executed(before)).toEqual(Array.from({ length: PARTS - partsDone }, (_, i) => partsDone + i));
    const { status, spent } = await job.look();
    expect(status).toBe('succeeded');
    expect(await job.outputs()).toEqual(await plain());
    // The plan and six parts of a tenth of a second; what gathered took none beyond its part.
    expect(spent?.functionSeconds).toBeCloseTo(0.7);
    expect(spent?.invocations).toBe(1 + PARTS);
    expect(spent?.dollars).toBeGreaterThan(0);
  });

  test('a part that was begun under the old limits does not stop the run after', async () => {
    const job = await batch({ budget: { functionSeconds: 0.35 } });
    await job.run(() => done(job, 2));
    let redriven = 0;
    job.observe(async (operation, key) => {
      if (operation !== 'put' || key !== partReportKey(JOB, 2)) return;
      // Meanwhile another function finds the budget spent, and somebody gives more.
      const stopped = {
        v: 1,
        job: JOB,
        status: 'stopped',
        reason: 'spent',
        limit: 'functionSeconds',
        parts: 2,
        spent: {
          functionSeconds: 1,
          gbSeconds: 1,
          invocations: 1,
          queueRequests: 0,
          writes: 0,
          reads: 0,
          dollars: 1,
        },
        endedAt: new Date(job.now()).toISOString(),
      };
      job.store.tamper(jobResultKey(JOB), new TextEncoder().encode(JSON.stringify(stopped)));
      redriven = (await job.ask('POST', '/redrive', { budget: { functionSeconds: 100 } })).status;
    });
    await job.run();
    expect(redriven).toBe(200);
    expect((await job.look()).status).toBe('succeeded');
    expect(await job.outputs()).toEqual(await plain());
  });

  test('a plan of a version that knew no limits is read as one', async () => {
    const job = await batch();
    await job.run(() => job.waiting('execute') > 0);
    const {
      usage: _usage,
      acceptedAt: _acceptedAt,
      ...older
    } = (await getJson(job.store, jobPlanKey(JOB), FanOutPlan))!;
    job.store.tamper(jobPlanKey(JOB), new TextEncoder().encode(JSON.stringify(older)));
    await job.run();
    expect((await job.look()).status).toBe('succeeded');
  });
});

test('resuming a job that runs sets one going whose messages are all lost', async () => {
  const job = await batch();
  await job.run(() => done(job, 2));
  job.due.splice(0);
  expect((await job.ask('POST', '/resume')).view?.status).toBe('running');
  await job.run();
  expect((await job.look()).status).toBe('succeeded');
});

test.each(['evaluate', 'map'])('%s has the same limits', async (kind) => {
  const change =
    kind === 'evaluate'
      ? { kind, loss: { kind: 'softmax-cross-entropy', output: 'p', target: 'y' } }
      : {
          kind,
          model: undefined,
          dataset: undefined,
          shards: undefined,
          itemsPerPart: 2,
          function: { kind: 'predict', model: { name: 'm' } },
          items: Array.from({ length: 2 * PARTS }, (_, i) => ({ x: [i] })),
        };
  const job = await batch({ ...change, budget: { functionSeconds: 0.35 } });
  await job.run();
  expect(await job.look()).toMatchObject({ kind, status: 'stopped', parts: PARTS });
  await job.ask('POST', '/redrive', { budget: { functionSeconds: 100 } });
  await job.run();
  expect((await job.look()).status).toBe('succeeded');
});
