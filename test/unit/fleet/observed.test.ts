/** One trace through all the messages of a job, and a line for each delivery: the API and the handlers, in virtual time. */
import { describe, expect, test } from 'vitest';
import { dispatch, type MessageDelivery } from '../../../cloud/training/dispatch.ts';
import { LogLine, type RequestLine, type TaskLine } from '../../../core/contracts/log.ts';
import { AcceptedJob } from '../../../core/contracts/job.ts';
import { jobSpecKey } from '../../../core/contracts/keys.ts';
import { objectCreated } from '../../../core/contracts/notification.ts';
import { droppedJob } from '../../../cloud/batch/inbox.ts';
import { jobIdFrom } from '../../../core/jobs/id.ts';
import { Fault } from '../../../core/errors.ts';
import { getJson } from '../../../core/storage/json.ts';
import { jsonLog } from '../../../core/telemetry/log.ts';
import { traceIdOfJob } from '../../../core/telemetry/span.ts';
import { memoryStore } from '../memory-store.ts';
import { apiBeside } from './api.ts';
import { clockwork, type ClockworkOptions } from './clockwork.ts';
import { fleetContext, JOB, prepare, rememberingQueue } from './world.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER = 'b7ad6b7169203331';
const TRACEPARENT = `00-${TRACE}-${CALLER}-01`;

/** Keeps lines, checked against their contract. */
function watcher() {
  const lines: LogLine[] = [];
  let ids = 0;
  return {
    lines,
    tasks: () => lines.filter((line): line is TaskLine => line.message === 'task'),
    requests: () => lines.filter((line): line is RequestLine => line.message === 'request'),
    telemetry: {
      log: jsonLog((text) => lines.push(LogLine.parse(JSON.parse(text)))),
      randomHex: (count: number) => (++ids).toString(16).padStart(2 * count, '0'),
    },
  };
}

async function watched({ context = {}, ...options }: ClockworkOptions = {}) {
  const seen = watcher();
  const { telemetry } = seen;
  const job = await clockwork({
    traceparent: TRACEPARENT,
    ...options,
    context: { telemetry, ...context },
  });
  const api = apiBeside(job, {
    deadLetters: { exhume: () => Promise.resolve(job.dead.splice(0).length) },
    telemetry,
  });
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    api.request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  return { ...job, ...seen, post };
}

/** All lines are of the trace, each span is one delivery's, and all were asked for by another or by the caller. */
function expectOneTrace(lines: readonly LogLine[]): void {
  expect(new Set(lines.map(({ traceId }) => traceId))).toEqual(new Set([TRACE]));
  const spans = lines.map(({ spanId }) => spanId);
  expect(new Set(spans).size).toBe(spans.length);
  const known = new Set([CALLER, ...spans]);
  expect(lines.filter(({ parentSpanId = '' }) => !known.has(parentSpanId))).toEqual([]);
  expect(lines.filter(({ jobId }) => jobId !== JOB)).toEqual([]);
}

describe('one trace', () => {
  test('goes from the request through every message to the release', async () => {
    // The API accepts it first: what the clockwork accepts afterwards is the same job.
    const store = memoryStore();
    const seen = watcher();
    const queue = rememberingQueue();
    const api = apiBeside({ store, queue, now: Date.now }, { telemetry: seen.telemetry });
    const response = await api.request('/v1/jobs', {
      method: 'POST',
      headers: { 'content-type': 'application/json', traceparent: TRACEPARENT },
      body: JSON.stringify(await prepare(store)),
    });
    expect(response.status).toBe(202);
    const [request] = seen.requests();
    expect(request).toMatchObject({ jobId: JOB, parentSpanId: CALLER, status: 202, path: '/v1/jobs' });
    const kept = (await getJson(store, jobSpecKey(JOB), AcceptedJob))?.traceparent;
    expect(kept).toBe(`00-${TRACE}-${request!.spanId}-01`);
    expect(queue.sent.map(({ traceparent }) => traceparent)).toEqual([kept, kept]);

    const job = await watched();
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'succeeded' });
    expectOneTrace(job.lines);
    const shards = job.tasks().filter(({ kind }) => kind === 'shard');
    // Made within the deliveries of the shards that completed the rounds, no messages of their own.
    const merges = job.tasks().filter(({ kind }) => kind === 'merge');
    expect(merges.map(({ round, outcome }) => [round, outcome])).toEqual([
      [0, 'done'],
      [1, 'done'],
    ]);
    for (const { round, messageId, parentSpanId, ageMs } of merges) {
      const within = shards.find(({ spanId }) => spanId === parentSpanId);
      expect(within).toMatchObject({ round, messageId });
      expect(ageMs).toBeUndefined();
    }
    expect(job.lines).toHaveLength(job.handled.length + merges.length);
    expect(shards.map(({ round, shard, outcome, attempt }) => [round, shard, outcome, attempt])).toEqual([
      [0, 0, 'done', 1],
      [0, 1, 'done', 1],
      [1, 0, 'done', 1],
      [1, 1, 'done', 1],
    ]);
    expect(shards.map(({ durationMs }) => durationMs)).toEqual([100, 100, 100, 100]);
    expect(job.tasks().map(({ kind }) => kind)).toContain('release');
  });

  test('a merge that fails within its shard is a line of its own; the message that follows is another', async () => {
    const job = await watched({ times: (task) => (task.kind === 'watch' ? 0 : 1) });
    let failed = false;
    job.observe((operation, key) => {
      if (failed || operation !== 'put' || !key.endsWith('/rounds/0/commit.json')) return;
      failed = true;
      throw new Fault('unavailable', 'the bucket is away');
    });
    await job.run();
    const merges = job.tasks().filter(({ kind, round }) => kind === 'merge' && round === 0);
    expect(merges.map(({ outcome, level, error }) => [outcome, level, error?.message])).toEqual([
      ['retried', 'WARN', 'the bucket is away'],
      ['done', 'INFO', undefined],
    ]);
    expect(job.tasks().filter(({ kind, outcome }) => kind === 'shard' && outcome !== 'done')).toEqual([]);
  });

  test('changes no bit of what is trained', async () => {
    const [plain, traced] = [await clockwork(), await watched()];
    await plain.run();
    await traced.run();
    expect(await traced.commit(1)).toEqual(await plain.commit(1));
    expect(await traced.result()).toEqual(await plain.result());
  });

  test('lasts where functions die, hand on, and the watch sends what is missing again', async () => {
    let left = 3;
    const job = await watched({
      spec: { shards: 3, epochs: 24, strategy: { kind: 'local-sgd', localSteps: 12 } },
      dies: (task) => task.kind === 'shard' && task.shard === 1 && left-- > 0,
      delivery: (task) => {
        let ms = 17_000;
        return task.kind === 'shard' ? { remainingMs: () => (ms -= 1_000) } : {};
      },
    });
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'succeeded' });
    expectOneTrace(job.lines);
    const tasks = job.tasks();
    expect(tasks.some(({ kind, part = 0 }) => kind === 'shard' && part > 0)).toBe(true);
    expect(tasks.some(({ kind, attempt }) => kind === 'shard' && attempt > 1)).toBe(true);
    // Who was killed wrote nothing.
    expect(tasks).toHaveLength(job.handled.length - 3);
  });

  test('goes on after a redrive, whoever asks for it', async () => {
    let broken = true;
    const job = await watched({ dies: (task) => broken && task.kind === 'shard' && task.shard === 1 });
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'failed' });
    broken = false;
    const other = `00-${'5'.repeat(32)}-${'6'.repeat(16)}-01`;
    expect((await job.post(`/v1/jobs/${JOB}/redrive`, {}, { traceparent: other })).status).toBe(200);
    expect(job.requests()).toMatchObject([{ traceId: '5'.repeat(32), jobId: JOB, status: 200 }]);
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'succeeded' });
    expectOneTrace(job.tasks());
  });

  test('of a job that nobody gave one is made of its id', async () => {
    const seen = watcher();
    const job = await clockwork({ context: { telemetry: seen.telemetry } });
    await job.run();
    expect(new Set(seen.lines.map(({ traceId }) => traceId))).toEqual(new Set([await traceIdOfJob(JOB)]));
  });
});

describe('what goes wrong', () => {
  test('a poisoned shard is lost or ends its job, and its dead letter keeps the trace', async () => {
    const poison = { spec: { shards: 4 }, broken: Math.fround(3 / 7) };
    const failing = await watched(poison);
    await failing.run();
    const bad = failing.tasks().filter(({ outcome }) => outcome !== 'done');
    expect(bad).toMatchObject([
      {
        kind: 'shard',
        shard: 1,
        level: 'ERROR',
        outcome: 'failed',
        deadLetter: true,
        error: { name: 'Fault' },
      },
    ]);
    expect(failing.dead[0]?.traceparent).toBe(`00-${TRACE}-${bad[0]!.spanId}-01`);

    const losing = await watched({ ...poison, spec: { shards: 4, quorum: 3 } });
    await losing.run();
    expect(losing.tasks().find(({ shard, round }) => shard === 1 && round === 0)).toMatchObject({
      outcome: 'lost',
      deadLetter: true,
    });
    expectOneTrace(losing.lines);
  });

  const delivery = (given: Partial<MessageDelivery> = {}): MessageDelivery => ({
    messageId: 'm',
    requestId: 'r',
    redelivered: false,
    lastChance: false,
    ...given,
  });
  function idle() {
    const seen = watcher();
    const store = memoryStore();
    const queue = rememberingQueue();
    return { ...seen, store, queue, fleet: fleetContext({ store, queue, telemetry: seen.telemetry }) };
  }

  test.each([
    [false, { level: 'WARN', outcome: 'retried' }],
    [true, { level: 'ERROR', outcome: 'dead', deadLetter: true }],
  ])('what cannot be read yet is left to the queue (its last chance: %s)', async (lastChance, expected) => {
    const { fleet, tasks } = idle();
    const given = delivery({ lastChance, attempt: 5, sentAt: fleet.now().getTime() - 1_500 });
    await expect(dispatch(fleet, 'no JSON', given)).rejects.toThrow('not JSON');
    const rest = { kind: 'unreadable', attempt: 5, ageMs: 1_500, requestId: 'r', error: { code: 'invalid' } };
    expect(tasks()).toMatchObject([{ ...expected, ...rest }]);
  });

  test('a spec that came by message starts its job in its trace', async () => {
    const { fleet, queue, store, tasks } = idle();
    const spec = await prepare(store);
    await dispatch(fleet, JSON.stringify(spec), delivery({ traceparent: TRACEPARENT }));
    const job = await jobIdFrom('m');
    expect(tasks()).toMatchObject([{ kind: 'train', jobId: job, traceId: TRACE, parentSpanId: CALLER }]);
    const { spanId } = tasks()[0]!;
    expect(new Set(queue.sent.map(({ traceparent }) => traceparent))).toEqual(
      new Set([`00-${TRACE}-${spanId}-01`]),
    );
  });

  test('an object of the inbox brings a trace in its metadata; what it starts nothing of is said', async () => {
    const { fleet, queue, store, tasks } = idle();
    const dropped = { key: 'inbox/a.json', sequencer: '0A' };
    const put = (value: unknown) =>
      store.put(dropped.key, Uint8Array.from(new TextEncoder().encode(JSON.stringify(value))), {
        metadata: { traceparent: TRACEPARENT },
      });
    await put(await prepare(store));
    await dispatch(fleet, JSON.stringify(objectCreated(dropped)), delivery());
    const jobId = await droppedJob(dropped);
    expect(tasks()).toMatchObject([{ kind: 'inbox', jobId, traceId: TRACE, outcome: 'done' }]);
    expect(queue.sent.every(({ traceparent }) => traceparent?.includes(TRACE))).toBe(true);
    await put({ kind: 'train' });
    await dispatch(fleet, JSON.stringify(objectCreated({ ...dropped, sequencer: '0B' })), delivery());
    expect(tasks()[1]).toMatchObject({ kind: 'inbox', outcome: 'failed', error: { code: 'invalid' } });
  });
});
