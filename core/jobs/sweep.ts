/**
 * Looks after those who look after jobs. A job goes on by its messages: should they all be lost, or each have killed its
 * function five times, nobody would ever know. So now and then somebody looks through the unfinished jobs, and announces
 * again what one waits for of which no sign of life came for a while. Announced by mistake it is one message more: the
 * tasks take duplicates, and watches of one number are one (watch-chain.ts).
 */
import { z } from 'zod';
import {
  jobPlanKey,
  jobResultKey,
  jobRevivalKey,
  jobRevivalsPrefix,
  jobSpecKey,
  partReportPrefix,
  partsLooksPrefix,
  roundCommitKey,
  roundPrefix,
} from '../contracts/keys.ts';
import { JobId, Timestamp, V1 } from '../contracts/primitives.ts';
import type { TaskQueue } from '../queue/task-queue.ts';
import { getJson, putJson } from '../storage/json.ts';
import { eachObject } from '../storage/list.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { headOf } from '../storage/sequence.ts';
import { readControl } from './control.ts';
import { forEachJob, faultReason } from './each.ts';
import { announce, nextTasks } from './resume.ts';
import { newestJobs } from './view.ts';

/** The newest jobs, of all there are: looking is two requests for one that has ended, and a few for one that has not. */
const LOOKED_AT = 200;
/** Revivals in a row from which nothing came; each waits as long as the first. Then the job ends, and may be redriven. */
const MOST_REVIVALS = 8;
/** Longer than a watch ever sleeps, which is SQS's longest delay, 900 s: a job that lives is left alone. */
export const STALLED_S = 1_200;

export interface SweepOptions {
  readonly store: ObjectStore;
  readonly queue: TaskQueue;
  readonly now: () => Date;
  /** Of silence, after which a job is announced again; default {@link STALLED_S}. */
  readonly stalledSeconds?: number;
  /** Jobs that have ended for good, as the last sweep found: they are not asked about again. */
  readonly ended?: ReadonlySet<string>;
}

export interface Swept {
  readonly looked: number;
  readonly revived: readonly string[];
  readonly failed: readonly string[];
  /** Jobs that could not be looked at, and why: the next sweep tries again. */
  readonly faults: readonly { readonly job: string; readonly reason: string }[];
  /** For the next sweep. */
  readonly ended: ReadonlySet<string>;
}

type Found = 'ended' | 'goes on' | 'revived' | 'failed';

export async function sweepJobs(options: SweepOptions): Promise<Swept> {
  const jobs = await newestJobs(options.store, LOOKED_AT);
  const known = jobs.filter((job) => options.ended?.has(job) === true);
  const open = jobs.filter((job) => options.ended?.has(job) !== true);
  const found = new Map<string, Found>();
  const thrown = await forEachJob(open, async (job) => {
    found.set(job, await sweepJob(options, job));
  });
  const faults = thrown.map((fault) => ({ job: fault.job, reason: faultReason(fault) }));
  const those = (what: Found) => open.filter((job) => found.get(job) === what);
  const [revived, failed, ended] = [those('revived'), those('failed'), those('ended')];
  return { looked: open.length, revived, failed, faults, ended: new Set([...known, ...ended]) };
}

/** Of every kind of job alike. */
const Result = z.looseObject({ status: z.string() });

async function sweepJob(options: SweepOptions, job: string): Promise<Found> {
  const { store, queue, now, stalledSeconds = STALLED_S } = options;
  const { paused, run, redrivenAt } = await readControl(store, job);
  const result = await getJson(store, jobResultKey(job, run), Result);
  if (result !== undefined) return isFinal(result.status) ? 'ended' : 'goes on';
  if (paused) return 'goes on';
  const signs = await signsOf(store, job);
  if (signs === undefined) return 'goes on';
  const last = Math.max(signs.last, Date.parse(redrivenAt ?? '') || 0);
  if (now().getTime() - last < stalledSeconds * 1000) return 'goes on';

  const progress = `run ${run}, ${signs.progress}`;
  const revivals = await headOf(store, (n) => jobRevivalKey(job, n));
  if (await isHopeless(store, job, revivals, progress)) {
    const reason = `nothing came of the job though it was announced ${MOST_REVIVALS} times: its functions died each time`;
    const failed = { v: 1, job, status: 'failed', reason, endedAt: now().toISOString() };
    await putJson(store, jobResultKey(job, run), failed, 'create');
    return 'failed';
  }
  const tasks = await nextTasks(store, job);
  if (tasks.length === 0) return 'goes on';
  // Who wrote announces: of two sweeps at once one does. Should it die before, the next comes when this one has aged.
  const revival: Revival = { v: 1, job, progress, at: now().toISOString() };
  const { kind } = await putJson(store, jobRevivalKey(job, revivals + 1), revival, 'create');
  if (kind === 'refused') return 'goes on';
  await announce(store, queue, job, tasks);
  return 'revived';
}

/** Others may be redriven, and so go on. */
const isFinal = (status: string): boolean => status === 'succeeded' || status === 'cancelled';

/** `jobs/<id>/revivals/<n>.json`: what there was of the job when it was announced again. */
const Revival = z.strictObject({ v: V1, job: JobId, progress: z.string(), at: Timestamp });
type Revival = z.infer<typeof Revival>;

/** Progress never goes back: where that of so many revivals ago is today's, there was none since. */
async function isHopeless(
  store: ObjectStore,
  job: string,
  revivals: number,
  progress: string,
): Promise<boolean> {
  if (revivals < MOST_REVIVALS) return false;
  const earlier = await getJson(store, jobRevivalKey(job, revivals + 1 - MOST_REVIVALS), Revival);
  return earlier?.progress === progress;
}

interface Signs {
  /** Unix time in milliseconds of the last one. */
  readonly last: number;
  /** What there is of the job. */
  readonly progress: string;
}

const Accepted = z.looseObject({ acceptedAt: Timestamp });
const Plan = z.looseObject({
  plannedAt: Timestamp,
  rounds: z.int().min(1).optional(),
  staleness: z.int().min(0).optional(),
});

/** @returns undefined where the job is gone */
async function signsOf(store: ObjectStore, job: string): Promise<Signs | undefined> {
  const accepted = await getJson(store, jobSpecKey(job), Accepted);
  if (accepted === undefined) return undefined;
  const plan = await getJson(store, jobPlanKey(job), Plan);
  let last = Date.parse(plan?.plannedAt ?? accepted.acceptedAt);
  const count = async (prefix: string) => {
    let objects = 0;
    for await (const { key, modifiedAt } of eachObject(store, prefix)) {
      last = Math.max(last, modifiedAt.getTime());
      // A look is a sign of life, and of nothing done.
      if (!key.includes('/looks/')) objects += 1;
    }
    return objects;
  };
  await count(jobRevivalsPrefix(job));
  if (plan === undefined) return { last, progress: 'not planned' };
  if (plan.rounds === undefined) {
    await count(partsLooksPrefix(job));
    return { last, progress: `${await count(partReportPrefix(job))} parts` };
  }
  const { rounds, staleness = 0 } = plan;
  const closed = await headOf(store, (n) => roundCommitKey(job, n - 1));
  // Of the rounds under way, and of the one before, whose watch may still be the one that looks.
  let objects = 0;
  for (let round = Math.max(0, closed - 1); round <= Math.min(closed + staleness, rounds - 1); round++)
    objects += await count(roundPrefix(job, round));
  return { last, progress: `${closed} rounds, ${objects} objects` };
}
