/** When the parts of a job ran: the protocol over work that costs nothing, and the timeline of what it leaves. */
import { expect, test } from 'vitest';
import { FanOutPlan, type FanOutSpec } from '../../../core/contracts/fan-out.ts';
import { jobPlanKey, partReportKey } from '../../../core/contracts/keys.ts';
import { FanOutTimeline } from '../../../core/contracts/timeline.ts';
import { NO_USAGE } from '../../../core/costs/usage.ts';
import { executePart, gatherParts } from '../../../core/fan-out/protocol.ts';
import type { FanOutHistory } from '../../../core/fan-out/view.ts';
import type { FanOutWork } from '../../../core/fan-out/work.ts';
import { putJson } from '../../../core/storage/json.ts';
import { fanOutTimeline } from '../../../core/timeline/parts.ts';
import { memoryStore } from '../memory-store.ts';

const JOB = 'job_00000001';
const START = Date.parse('2026-01-02T03:04:05Z');
const after = (seconds: number) => new Date(START + seconds * 1000).toISOString();
const SPEC: FanOutSpec = {
  v: 1,
  kind: 'map',
  function: { kind: 'predict', model: { name: 'm', channel: 'stable', variant: 'fp32' }, batchSize: 8 },
  items: { blob: 'a'.repeat(64) },
  itemsPerPart: 10,
};
const ACCEPTED = { v: 1, job: JOB, spec: SPEC, acceptedAt: after(0) } as const;

/** A job of ten items a part. */
async function planned(parts: number) {
  let now = START + 1_000;
  const store = memoryStore(() => now);
  const plan = FanOutPlan.parse({
    v: 1,
    job: JOB,
    spec: SPEC,
    model: 'b'.repeat(64),
    parts: Array.from({ length: parts }, (_, part) => ({ start: part * 10, end: part * 10 + 10 })),
    plannedAt: after(1),
  });
  await putJson(store, jobPlanKey(JOB), plan, 'create');
  const work: FanOutWork = {
    execute: (_, part) => Promise.resolve({ v: 1, part }),
    merge: () => ({ figures: {} }),
  };
  const context = {
    store,
    queue: { send: () => Promise.resolve() },
    now: () => new Date(now),
    watchSeconds: 20,
  };
  const history: FanOutHistory = {};
  return {
    store,
    /** Half a second each, begun `second` seconds after the start. */
    async execute(part: number, second: number, attempt = 1) {
      now = START + second * 1000 + 500;
      const usage = { ...NO_USAGE, functionSeconds: 0.5, invocations: 1 };
      const executions = [{ at: 0, seconds: 0.5, place: `worker-${part % 2}` }];
      const meter = { read: () => ({ startedAt: after(second), usage, executions }) };
      await executePart({ ...context, meter }, work, plan, part, { redelivered: attempt > 1, attempt });
    },
    gather: () => gatherParts(context, work, plan),
    timeline: async (query = {}) =>
      FanOutTimeline.parse(await fanOutTimeline(store, ACCEPTED, new Date(now), history, query)),
  };
}

test('each part is told as its report tells it, which delivery wrote it too; the others are open', async () => {
  const job = await planned(3);
  await job.execute(0, 2);
  await job.execute(2, 3, 2);
  expect(await job.timeline()).toEqual({
    job: JOB,
    kind: 'map',
    status: 'running',
    acceptedAt: after(0),
    plannedAt: after(1),
    now: after(3.5),
    first: 0,
    parts: 3,
    page: [
      {
        part: 0,
        state: 'done',
        rows: 10,
        ran: [{ startedAt: after(2), seconds: 0.5, place: 'worker-0' }],
        writtenAt: after(2.5),
      },
      { part: 1, state: 'open', rows: 10, ran: [] },
      {
        part: 2,
        state: 'done',
        rows: 10,
        ran: [{ startedAt: after(3), seconds: 0.5, place: 'worker-0', attempt: 2 }],
        writtenAt: after(3.5),
      },
    ],
  });
  const { head } = job.store.calls;
  await job.timeline();
  expect(job.store.calls.head).toBe(head);
});

test('a job that ended was done whole, also where a report has expired', async () => {
  const job = await planned(2);
  for (const part of [0, 1]) await job.execute(part, 2 + part);
  await job.gather();
  await job.store.delete(partReportKey(JOB, 0));
  expect(await job.timeline()).toMatchObject({
    status: 'succeeded',
    endedAt: after(3.5),
    page: [
      { state: 'done', ran: [] },
      { state: 'done', ran: [{ startedAt: after(3) }] },
    ],
  });
});

test('of many parts the page has those that are being done', async () => {
  const job = await planned(1_000);
  const first = async (query = {}) => {
    const { first, page } = await job.timeline(query);
    return [first, page.length];
  };
  expect(await first()).toEqual([0, 200]);
  await job.execute(399, 2);
  expect(await first()).toEqual([250, 200]);
  expect(await first({ first: 700, limit: 1_000 })).toEqual([700, 300]);
});
