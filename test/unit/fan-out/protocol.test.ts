/** Who gathers the parts of a job, over work that costs nothing. */
import { expect, test } from 'vitest';
import type { BatchContext } from '../../../cloud/batch/context.ts';
import { partRows } from '../../../cloud/batch/rows.ts';
import { FanOutPlan } from '../../../core/contracts/fan-out.ts';
import { jobResultKey, partReportKey, partReportPrefix } from '../../../core/contracts/keys.ts';
import type { Task } from '../../../core/contracts/task.ts';
import { Fault } from '../../../core/errors.ts';
import { announceParts, type Delivered, executePart } from '../../../core/fan-out/protocol.ts';
import type { FanOutWork } from '../../../core/fan-out/work.ts';
import { memoryStore } from '../memory-store.ts';

const JOB = 'job_00000001';
const NOW = new Date('2026-01-02T03:04:05Z');
const FIRST: Delivered = { redelivered: false };

function planned(parts: number) {
  const store = memoryStore();
  const sent: Task[][] = [];
  const documents = new Map<string, unknown>();
  const plan = FanOutPlan.parse({
    v: 1,
    job: JOB,
    spec: {
      kind: 'map',
      function: { kind: 'predict', model: { name: 'm' } },
      items: { blob: 'a'.repeat(64) },
      itemsPerPart: 10,
    },
    model: 'b'.repeat(64),
    parts: Array.from({ length: parts }, (_, part) => ({ start: part * 10, end: part * 10 + 10 })),
    plannedAt: NOW.toISOString(),
  });
  const merged: number[][] = [];
  const work: FanOutWork = {
    execute: (_, part) => Promise.resolve({ v: 1, part }),
    merge(_, reports) {
      merged.push(reports.map(({ part }) => part));
      return { figures: {} };
    },
  };
  const queue = {
    send(tasks: readonly Task[]) {
      sent.push([...tasks]);
      return Promise.resolve();
    },
  };
  const context = { store, queue, now: () => NOW, watchSeconds: 20, documents };
  return {
    store,
    sent,
    merged,
    context,
    plan,
    execute: (part: number, delivered: Delivered = FIRST) =>
      executePart(context, work, plan, part, delivered),
    hasEnded: async () => (await store.head(jobResultKey(JOB))) !== undefined,
  };
}

test('the parts and the look after them are one request', async () => {
  const { context, plan, sent } = planned(3);
  await announceParts(context, plan, true);
  expect(sent.map((tasks) => tasks.map(({ kind }) => kind))).toEqual([
    ['recheck', 'execute', 'execute', 'execute'],
  ]);
});

test('who writes the last report gathers all, in order, and sends nothing', async () => {
  const job = planned(4);
  for (const part of [2, 0, 3]) await job.execute(part);
  expect(await job.hasEnded()).toBe(false);
  await job.execute(1);
  expect(await job.hasEnded()).toBe(true);
  expect(job.merged).toEqual([[0, 1, 2, 3]]);
  expect(job.sent).toEqual([]);
});

test('who has little time left leaves the gathering to another', async () => {
  const job = planned(1);
  await job.execute(0, { redelivered: false, remainingMs: () => 20_000 });
  expect(await job.hasEnded()).toBe(false);
  expect(job.sent).toEqual([[{ v: 1, kind: 'gather', job: JOB }]]);
});

test('a death between the last report and the gathering is mended by the next delivery', async () => {
  const job = planned(2);
  await job.execute(0);
  job.store.before = (operation, key) => {
    if (operation === 'put' && key === jobResultKey(JOB)) throw new Fault('unavailable', 'killed');
  };
  await expect(job.execute(1)).rejects.toThrow('killed');
  job.store.before = () => undefined;
  await job.execute(1);
  expect(await job.hasEnded()).toBe(false);
  await job.execute(1, { redelivered: true });
  expect(await job.hasEnded()).toBe(true);
});

test('a part that is not of the plan is refused for good', async () => {
  const job = planned(2);
  const refused = { code: 'unprocessable', retryable: false, message: `job ${JOB} has no part 2` };
  await expect(job.execute(2)).rejects.toMatchObject(refused);
  const context = { ...job.context, caches: {} } as unknown as BatchContext;
  const rows = { dataset: { name: 'd' }, split: 'test' };
  await expect(partRows(context, job.plan, rows, 2)).rejects.toMatchObject(refused);
});

test('a warm function asks for no report twice', async () => {
  const job = planned(40);
  const asked: string[] = [];
  job.store.before = (operation, key) => {
    if (operation === 'get' && key.startsWith(partReportPrefix(JOB))) asked.push(key);
  };
  for (let part = 0; part < 40; part++) await job.execute(part);
  // Each looked for the one behind it, which was missing; the last found all remembered.
  expect(asked).toEqual(Array.from({ length: 39 }, (_, part) => partReportKey(JOB, part + 1)));
  expect(await job.hasEnded()).toBe(true);
});
