/**
 * Split, execute, merge over at-least-once delivery, without a coordinator: the parts of a plan are announced as
 * tasks; each writes its report create-only, and the one that sees all of them there announces the gathering, which
 * reads the keys it knows, never a LIST, and writes the result create-only. Everything may happen twice, in any order,
 * or die half-way: what is written first counts, and what is missing is announced again by a delayed `recheck`.
 */
import { type FanOutPlan, FanOutResult, PartReport } from '../contracts/fan-out.ts';
import { jobResultKey, outputManifestKey, partReportKey, partsLookKey } from '../contracts/keys.ts';
import { parse } from '../contracts/parse.ts';
import type { Task } from '../contracts/task.ts';
import type { TaskMeter } from '../contracts/usage.ts';
import { claimLook, nextLook } from '../jobs/looks.ts';
import { goOn, meterMetadata } from '../jobs/meter.ts';
import { MAX_LOOKS } from '../jobs/stragglers.ts';
import { MAX_DELAY_S, type TaskQueue } from '../queue/task-queue.ts';
import { getJson, putJson } from '../storage/json.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { type FanOutWork, rowsOfPlan } from './work.ts';

export interface FanOutContext {
  readonly store: ObjectStore;
  readonly queue: TaskQueue;
  readonly now: () => Date;
  /** Seconds after which it is looked whether parts are still being done. */
  readonly watchSeconds: number;
  /** What the task took until now; default: nobody counts. */
  readonly meter?: { read(): TaskMeter };
}

/** Of a task's message: an earlier delivery may have died after its report and before what comes of it. */
export interface Delivered {
  readonly redelivered: boolean;
  /** Which delivery it is, where that is known. */
  readonly attempt?: number | undefined;
}

/** Objects asked for at the same time. */
const AT_ONCE = 32;

const executions = (job: string, parts: readonly number[]) =>
  parts.map((part) => ({ v: 1, kind: 'execute', job, part }) as const);

/** Announces all parts, and the recheck that looks after them. */
export async function announceParts(context: FanOutContext, { job, parts }: FanOutPlan): Promise<void> {
  const { store, queue, watchSeconds } = context;
  // Another delivery may have announced them, and its recheck have looked: the chain goes on as one.
  const number = await nextLook(store, (n) => partsLookKey(job, n));
  await queue.send([{ v: 1, kind: 'recheck', job, done: 0, number }], { delaySeconds: watchSeconds });
  await queue.send(executions(job, [...parts.keys()]));
}

/** Task `execute`. */
export async function executePart(
  context: FanOutContext,
  work: FanOutWork,
  plan: FanOutPlan,
  part: number,
  { redelivered, attempt }: Delivered,
): Promise<void> {
  const { store, queue, meter } = context;
  const { job } = plan;
  if (plan.parts[part] === undefined) throw new RangeError(`job ${job} has no part ${part}`);
  const key = partReportKey(job, part);
  const [ended, done] = await Promise.all([hasResult(store, job), store.head(key)]);
  if (ended) return;
  if (done === undefined) {
    const report = parse(PartReport, await work.execute(plan, part), 'internal');
    const took = meter && goOn(undefined, meter.read(), { attempt });
    const metadata = took && meterMetadata(took);
    const outcome = await putJson(store, key, report, 'create', metadata);
    // Refused: a copy of this task was quicker. That one looks whether all parts are there.
    if (outcome.kind === 'refused' && !redelivered) return;
  } else if (!redelivered) return;
  if (await isComplete(store, plan, part)) await queue.send([{ v: 1, kind: 'gather', job }]);
}

/** Task `gather`. */
export async function gatherParts(
  { store, now }: FanOutContext,
  work: FanOutWork,
  plan: FanOutPlan,
): Promise<void> {
  const { job } = plan;
  if (await hasResult(store, job)) return;
  const reports = await eachInTurn([...plan.parts.keys()], (part) =>
    getJson(store, partReportKey(job, part), PartReport),
  );
  const present = reports.filter((report) => report !== undefined);
  // A part is missing: its own task announces the gathering again, or the recheck does.
  if (present.length < plan.parts.length) return;
  const { figures, manifest } = work.merge(plan, present);
  // First the manifest, then the result that names it. A refusal means that the very same is there.
  if (manifest !== undefined) await putJson(store, outputManifestKey(job), manifest, 'create');
  const shards = manifest?.shards ?? [];
  const result = parse(
    FanOutResult,
    {
      v: 1,
      job,
      status: 'succeeded',
      rows: rowsOfPlan(plan),
      ...figures,
      ...(manifest === undefined
        ? {}
        : {
            output: {
              manifest: outputManifestKey(job),
              shards: shards.length,
              bytes: shards.reduce((sum, { bytes }) => sum + bytes, 0),
            },
          }),
      endedAt: now().toISOString(),
    },
    'internal',
  );
  await putJson(store, jobResultKey(job), result, 'create');
}

/**
 * Task `recheck`: some time after the last look, are parts still being done? Missing ones are announced again only
 * where none was done since: while the fleet works through a long queue, the rest waits in it. Where that leads to nothing
 * again and again, twice as long after each, the job ends.
 */
export async function recheckParts(
  context: FanOutContext,
  plan: FanOutPlan,
  { done: before, look = 0, number = 1, announce }: Extract<Task, { kind: 'recheck' }>,
  redelivered: boolean,
): Promise<void> {
  const { store, queue, watchSeconds } = context;
  const { job } = plan;
  if (await hasResult(store, job)) return;
  const goesOn = await claimLook(store, (n) => partsLookKey(job, n), number, redelivered);
  if (!goesOn && !announce) return;
  const present = await eachInTurn([...plan.parts.keys()], (part) => store.head(partReportKey(job, part)));
  const missing = present.flatMap((report, part) => (report === undefined ? [part] : []));
  const done = present.length - missing.length;
  const looks = done > before || announce ? 0 : look + 1;
  if (looks > MAX_LOOKS) return giveUp(context, job, missing);
  if (missing.length === 0) await queue.send([{ v: 1, kind: 'gather', job }]);
  else if (announce || done <= before) await queue.send(executions(job, missing));
  if (!goesOn) return;
  const delaySeconds = Math.min(MAX_DELAY_S, watchSeconds * 2 ** looks);
  await queue.send([{ v: 1, kind: 'recheck', job, done, look: looks, number: number + 1 }], { delaySeconds });
}

async function giveUp({ store, now }: FanOutContext, job: string, missing: readonly number[]): Promise<void> {
  const what = missing.length === 0 ? 'the whole was not made' : `parts ${missing.join(', ')} gave no report`;
  const reason = `${what} though announced again and again: their functions died each time, or the queue lost them`;
  const result = { v: 1, job, status: 'failed', reason, endedAt: now().toISOString() };
  await putJson(store, jobResultKey(job), parse(FanOutResult, result, 'internal'), 'create');
}

async function hasResult(store: ObjectStore, job: string): Promise<boolean> {
  return (await store.head(jobResultKey(job))) !== undefined;
}

/**
 * Whether every part has its report. Those announced after `part` are looked at first, one, then two, four …: as long
 * as any is missing it is most likely the next, and the look costs one request.
 */
async function isComplete(store: ObjectStore, { job, parts }: FanOutPlan, part: number): Promise<boolean> {
  const others = Array.from({ length: parts.length - 1 }, (_, n) => (part + 1 + n) % parts.length);
  let size = 1;
  for (let start = 0; start < others.length;) {
    const looked = others.slice(start, start + size);
    start += size;
    size = Math.min(AT_ONCE, size * 2);
    const found = await Promise.all(looked.map((other) => store.head(partReportKey(job, other))));
    if (found.includes(undefined)) return false;
  }
  return true;
}

async function eachInTurn<T>(parts: readonly number[], ask: (part: number) => Promise<T>): Promise<T[]> {
  const answers: T[] = [];
  for (let start = 0; start < parts.length; start += AT_ONCE)
    answers.push(...(await Promise.all(parts.slice(start, start + AT_ONCE).map(ask))));
  return answers;
}
