/** What no retry mends lies in the dead-letter queue at once, with its reason: tasks of jobs of every kind. */
import { describe, expect, test } from 'vitest';
import type { TaskLine } from '../../../core/contracts/log.ts';
import { jobPlanKey, jobResultKey } from '../../../core/contracts/keys.ts';
import { FanOutResult } from '../../../core/contracts/fan-out.ts';
import { JobPlan } from '../../../core/contracts/job.ts';
import type { Task } from '../../../core/contracts/task.ts';
import { Fault } from '../../../core/errors.ts';
import { jobIdFrom } from '../../../core/jobs/id.ts';
import { getJson } from '../../../core/storage/json.ts';
import { apiBeside } from './api.ts';
import { clockwork, MERGED_BY_MESSAGE } from './clockwork.ts';
import { JOB, standInRuntime } from './world.ts';

type Clockwork = Awaited<ReturnType<typeof clockwork>>;

/** Another message of this queue, as somebody outside sends it. */
function send({ due, now }: Clockwork, body: unknown): void {
  due.push({ at: now(), task: body as Task, receives: 1, traceparent: undefined });
}

describe('of a training', () => {
  const initialState = async (job: Clockwork) => {
    const plan = await getJson(job.store, jobPlanKey(JOB), JobPlan);
    return `blobs/sha256/${plan?.initialState}`;
  };
  test.each([
    ['plan', () => Promise.resolve('datasets/d/1/manifest.json')],
    ['merge', initialState],
    ['release', () => Promise.resolve('datasets/d/1/test-00000.safetensors')],
  ] as const)('a %s that finds an object gone does, and is taken out by a redrive', async (kind, gone) => {
    // The outer optimizer's merge reads the state before the round.
    const strategy = { kind: 'diloco', localSteps: 2 } as const;
    const job = await clockwork({ ...MERGED_BY_MESSAGE, spec: { strategy } });
    await job.run(() => job.due.some(({ task }) => task.kind === kind));
    const key = await gone(job);
    const object = await job.store.get(key);
    await job.store.delete(key);
    job.forget();
    await job.run();
    const result = await job.result();
    expect(result).toMatchObject({ status: 'failed', reason: expect.stringMatching(`^${kind}`) });
    expect(job.dead).toMatchObject([
      { task: { kind, job: JOB }, reason: (result as { reason: string }).reason },
    ]);

    await job.store.put(key, object!.body);
    const api = apiBeside(job, {
      deadLetters: { exhume: () => Promise.resolve(job.dead.splice(0).length) },
    });
    const headers = { 'content-type': 'application/json' };
    await api.request(`/v1/jobs/${JOB}/redrive`, { method: 'POST', headers, body: '{}' });
    expect(job.dead).toEqual([]);
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'succeeded' });
  });
});

describe('of a batch job', () => {
  test('a part that the model refuses does, and is counted', async () => {
    const lines: TaskLine[] = [];
    const job = await clockwork({
      context: {
        telemetry: { log: (line) => lines.push(line as TaskLine), randomHex: (n) => '1'.repeat(2 * n) },
        runtime: {
          ...standInRuntime,
          async load(model) {
            const session = await standInRuntime.load(model);
            return {
              ...session,
              run(inputs, ...rest) {
                const rows = inputs['x']!.data as Float32Array;
                if (job.handled.at(-1)?.task.kind === 'execute' && rows.includes(Math.fround(3 / 7)))
                  throw new Fault('invalid', 'the model refuses the inputs: 3/7', { field: 'inputs' });
                return session.run(inputs, ...rest);
              },
            };
          },
        },
      },
    });
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'succeeded' });
    send(job, { kind: 'batch', model: { name: 'm' }, dataset: { name: 'd' }, shards: 3 });
    await job.run();
    const batch = await jobIdFrom('m');
    const result = await getJson(job.store, jobResultKey(batch), FanOutResult);
    const reason = 'execute (part 0): the model refuses the inputs: 3/7';
    expect(result).toMatchObject({ status: 'failed', reason, field: 'inputs' });
    expect(job.dead).toMatchObject([{ task: { kind: 'execute', job: batch, part: 0 }, reason }]);
    expect(lines.filter(({ deadLetter }) => deadLetter)).toMatchObject([
      { kind: 'execute', part: 0, outcome: 'failed' },
    ]);
  });
});

describe('of no job', () => {
  const unknownKind =
    /^kind: must be train, batch, evaluate, map of a job spec, or plan, shard, merge, .* of a task$/;
  test.each([
    [{ kind: 'batch', model: { name: 'nope' }, dataset: { name: 'd' } }, 'batch', /nope/],
    [{ kind: 'batch', model: { name: 'm' }, format: 'xml' }, 'unreadable', /^dataset/],
    [{ v: 1, kind: 'shard', job: JOB, round: -1, shard: 0 }, 'unreadable', /^round/],
    [{ kind: 'zz' }, 'unreadable', unknownKind],
    [{}, 'unreadable', unknownKind],
    [[], 'unreadable', /^a message must be a JSON object/],
    ['{bad', 'unreadable', /^message body is not JSON$/],
  ] as const)('%j is set aside at once, with what is wrong with it', async (body, kind, reason) => {
    const lines: TaskLine[] = [];
    const telemetry = {
      log: (line: unknown) => void lines.push(line as TaskLine),
      randomHex: (n: number) => '1'.repeat(2 * n),
    };
    const job = await clockwork({ context: { telemetry } });
    job.due.splice(0);
    send(job, body);
    await job.run();
    expect(job.handled).toHaveLength(1);
    expect(job.dead).toMatchObject([{ task: body, reason: expect.stringMatching(reason) }]);
    expect(lines).toMatchObject([{ kind, outcome: 'failed', deadLetter: true, attempt: 1 }]);
  });

  test('but what the store could not answer is asked again', async () => {
    const job = await clockwork();
    job.due.splice(0);
    send(job, { kind: 'batch', model: { name: 'm' }, dataset: { name: 'd' } });
    let down = true;
    job.observe(() => {
      if (down) throw new Fault('unavailable', 'the store is down');
    });
    await job.run(() => job.handled.length === 1);
    expect(job.dead).toEqual([]);
    down = false;
    await job.run();
    expect(job.dead).toMatchObject([{ reason: expect.stringMatching(/m/) }]);
    expect(job.handled.map(({ receives }) => receives)).toEqual([1, 2]);
  });
});
