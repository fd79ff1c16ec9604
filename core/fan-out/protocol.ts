/**
 * Split, execute, merge over at-least-once delivery, without a coordinator: the parts of a plan are announced as
 * tasks; each writes its report create-only, and the one that then finds all of them there, by the keys it knows, never a
 * LIST, gathers them and writes the result create-only. Everything may happen twice, in any order, or die half-way: what
 * is written first counts, and what is missing is announced again by a delayed `recheck`. Of a job that was paused, or
 * has ended, no part begins and nothing is announced.
 */
import { type FanOutPlan, FanOutResult, PartReport } from '../contracts/fan-out.ts';
import { outputManifestKey, partReportKey, partsLookKey } from '../contracts/keys.ts';
import { parse } from '../contracts/parse.ts';
import type { Task } from '../contracts/task.ts';
import type { TaskMeter } from '../contracts/usage.ts';
import { spentIn } from '../costs/spent.ts';
import { usageBeyond } from '../costs/usage.ts';
import { Fault } from '../errors.ts';
import { type ControlState, UNTOUCHED } from '../jobs/control.ts';
import { untilDeadline } from '../jobs/limits.ts';
import { claimLook, nextLook } from '../jobs/watch-chain.ts';
import { goOn } from '../jobs/meter.ts';
import { askStanding, endRun, goesOn } from '../jobs/standing.ts';
import { MAX_LOOKS } from '../jobs/stragglers.ts';
import { MAX_DELAY_S, type TaskQueue } from '../queue/task-queue.ts';
import { putJson } from '../storage/json.ts';
import { countPart, countParts, missingOf } from './count.ts';
import { type EndingContext, giveUp, limitsOf, stopIfDue } from './ending.ts';
import { allReports, type Reported, writeReport } from './reports.ts';
import { type FanOutWork, rowsOfPlan } from './work.ts';

export interface FanOutContext extends EndingContext {
  readonly queue: TaskQueue;
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

/** A deadline is not slept through. */
const recheckIn = (
  context: FanOutContext,
  plan: FanOutPlan,
  control: ControlState,
  seconds: number,
): number => Math.min(MAX_DELAY_S, seconds, untilDeadline(limitsOf(plan, control), context.now().getTime()));

/**
 * Announces all parts, and the recheck that looks after them, in one request.
 * @param isNew nobody can have announced them before
 */
export async function announceParts(
  context: FanOutContext,
  plan: FanOutPlan,
  isNew: boolean,
  control: ControlState = UNTOUCHED,
): Promise<void> {
  const { store, queue, watchSeconds } = context;
  const { job, parts } = plan;
  // Where another delivery announced them, and its recheck looked, the chain goes on as one.
  const number = isNew ? 1 : await nextLook(store, (n) => partsLookKey(job, n));
  const recheck = { v: 1, kind: 'recheck', job, done: 0, number } as const;
  await queue.send([recheck, ...executions(job, [...parts.keys()])], {
    delaySeconds: ({ kind }) => (kind === 'recheck' ? recheckIn(context, plan, control, watchSeconds) : 0),
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
  const [standing, done] = await Promise.all([
    askStanding(context, job),
    store.head(partReportKey(job, part)),
  ]);
  if (!goesOn(standing)) return;
  let told: TaskMeter | undefined;
  if (done === undefined) {
    if (await stopIfDue(context, plan, standing, 'known')) return;
    const report = parse(PartReport, await work.execute(plan, part), 'internal');
    const took = meter && goOn(undefined, meter.read(), { attempt });
    const outcome = await writeReport(context, job, { report, took });
    // Refused: a copy of this task was quicker. That one looks whether all parts are there.
    if (outcome.kind === 'refused' && !redelivered) return;
    if (outcome.kind === 'written') {
      countPart(context, plan, part, took);
      told = took;
    }
  } else if (!redelivered) return;
  const reports = await allReports(context, plan, part);
  if (reports === undefined) {
    await stopIfDue(context, plan, standing, 'ahead');
    return;
  }
  if ((remainingMs?.() ?? Infinity) > GATHERING_MS) await gather(context, work, plan, reports, told);
  else await queue.send([{ v: 1, kind: 'gather', job }]);
}

/** Task `gather`. */
export async function gatherParts(context: FanOutContext, work: FanOutWork, plan: FanOutPlan): Promise<void> {
  const reports = await allReports(context, plan);
  // A part is missing: who does it gathers, or the recheck announces that.
  if (reports !== undefined) await gather(context, work, plan, reports);
}

/**
 * @param reported of all parts, in order
 * @param told what a report says of what this task took until now
 */
async function gather(
  context: FanOutContext,
  work: FanOutWork,
  plan: FanOutPlan,
  reported: readonly Reported[],
  told?: TaskMeter,
): Promise<void> {
  const { store, now } = context;
  const { job } = plan;
  const standing = await askStanding(context, job);
  if (!goesOn(standing)) return;
  const reports = reported.map(({ report }) => report);
  const { figures, manifest } = work.merge(plan, reports);
  // First the manifest, then the result that names it. A refusal means that the very same is there.
  if (manifest !== undefined) await putJson(store, outputManifestKey(job), manifest, 'create');
  const shards = manifest?.shards ?? [];
  const own = context.meter?.read().usage;
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
      spent: spentIn(context, [
        plan.usage,
        ...reported.map(({ took }) => took?.usage),
        own && told ? usageBeyond(own, told.usage) : own,
      ]),
      endedAt: now().toISOString(),
    },
    'internal',
  );
  await endRun(context, standing.run, result);
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
  const standing = await askStanding(context, job);
  if (!goesOn(standing)) return;
  const isOurs = await claimLook(store, (n) => partsLookKey(job, n), number, redelivered);
  if (!isOurs && !announce) return;
  const counted = await countParts(context, plan, 'all');
  if (await stopIfDue(context, plan, standing, counted)) return;
  const missing = missingOf(plan, counted);
  const done = plan.parts.length - missing.length;
  const looks = done > before || announce ? 0 : look + 1;
  if (looks > MAX_LOOKS) return giveUp(context, plan, standing, missing);
  if (missing.length === 0) await queue.send([{ v: 1, kind: 'gather', job }]);
  else if (announce || done <= before) await queue.send(executions(job, missing));
  if (!isOurs) return;
  const delaySeconds = recheckIn(context, plan, standing, watchSeconds * 2 ** looks);
  await queue.send([{ v: 1, kind: 'recheck', job, done, look: looks, number: number + 1 }], { delaySeconds });
}
