/**
 * Split, execute, merge over at-least-once delivery, without a coordinator: the parts of a plan are announced as
 * tasks; each writes its report create-only, and the one that then finds all of them there, by the keys it knows, never a
 * LIST, gathers them and writes the result create-only. Everything may happen twice, in any order, or die half-way: what
 * is written first counts, and what is missing is announced again by a delayed `recheck`.
 */
import { type FanOutPlan, FanOutResult, PartReport } from '../contracts/fan-out.ts';
import { jobResultKey, outputManifestKey, partReportKey, partsLookKey } from '../contracts/keys.ts';
import { parse } from '../contracts/parse.ts';
import type { Task } from '../contracts/task.ts';
import type { TaskMeter } from '../contracts/usage.ts';
import { Fault } from '../errors.ts';
import { claimLook, nextLook } from '../jobs/watch-chain.ts';
import { goOn } from '../jobs/meter.ts';
import { MAX_LOOKS } from '../jobs/stragglers.ts';
import { MAX_DELAY_S, type TaskQueue } from '../queue/task-queue.ts';
import type { Remembering } from '../storage/documents.ts';
import { putJson } from '../storage/json.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { allReports, missingParts, writeReport } from './reports.ts';
import { type FanOutWork, rowsOfPlan } from './work.ts';

export interface FanOutContext extends Remembering {
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
  /** Milliseconds until the function is killed; default: it is not. */
  readonly remainingMs?: (() => number) | undefined;
}

/**
 * Milliseconds that a function must have left to gather by itself: reading 10,000 reports takes about ten seconds. In fewer
 * another one is asked.
 */
const GATHERING_MS = 30_000;

const executions = (job: string, parts: readonly number[]) =>
  parts.map((part) => ({ v: 1, kind: 'execute', job, part }) as const);

/**
 * Announces all parts, and the recheck that looks after them, in one request.
 * @param isNew nobody can have announced them before
 */
export async function announceParts(
  { store, queue, watchSeconds }: FanOutContext,
  { job, parts }: FanOutPlan,
  isNew: boolean,
): Promise<void> {
  // Where another delivery announced them, and its recheck looked, the chain goes on as one.
  const number = isNew ? 1 : await nextLook(store, (n) => partsLookKey(job, n));
  const recheck = { v: 1, kind: 'recheck', job, done: 0, number } as const;
  await queue.send([recheck, ...executions(job, [...parts.keys()])], {
    delaySeconds: ({ kind }) => (kind === 'recheck' ? watchSeconds : 0),
  });
}

/** Task `execute`. Who sees that all parts are there gathers at once: a message to say so would only cost its way. */
export async function executePart(
  context: FanOutContext,
  work: FanOutWork,
  plan: FanOutPlan,
  part: number,
  { redelivered, attempt, remainingMs }: Delivered,
): Promise<void> {
  const { store, queue, meter } = context;
  const { job } = plan;
  if (plan.parts[part] === undefined) throw new Fault('unprocessable', `job ${job} has no part ${part}`);
  const [ended, done] = await Promise.all([hasResult(store, job), store.head(partReportKey(job, part))]);
  if (ended) return;
  if (done === undefined) {
    const report = parse(PartReport, await work.execute(plan, part), 'internal');
    const took = meter && goOn(undefined, meter.read(), { attempt });
    const outcome = await writeReport(context, job, report, took);
    // Refused: a copy of this task was quicker. That one looks whether all parts are there.
    if (outcome.kind === 'refused' && !redelivered) return;
  } else if (!redelivered) return;
  const reports = await allReports(context, plan, part);
  if (reports === undefined) return;
  if ((remainingMs?.() ?? Infinity) > GATHERING_MS) await gather(context, work, plan, reports);
  else await queue.send([{ v: 1, kind: 'gather', job }]);
}

/** Task `gather`. */
export async function gatherParts(context: FanOutContext, work: FanOutWork, plan: FanOutPlan): Promise<void> {
  const reports = await allReports(context, plan);
  // A part is missing: who does it gathers, or the recheck announces that.
  if (reports !== undefined) await gather(context, work, plan, reports);
}

/** @param reports of all parts, in order */
async function gather(
  { store, now }: FanOutContext,
  work: FanOutWork,
  plan: FanOutPlan,
  reports: readonly PartReport[],
): Promise<void> {
  const { job } = plan;
  if (await hasResult(store, job)) return;
  const { figures, manifest } = work.merge(plan, reports);
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
  const missing = await missingParts(context, plan);
  const done = plan.parts.length - missing.length;
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
