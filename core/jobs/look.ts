/** A job of any kind, as it looks from outside. */
import type { AcceptedFanOut } from '../contracts/fan-out.ts';
import { type AcceptedJob, AnyAcceptedJob, type JobView } from '../contracts/job.ts';
import { jobSpecKey } from '../contracts/keys.ts';
import { type FanOutHistory, viewFanOut } from '../fan-out/view.ts';
import type { Prices } from '../costs/prices.ts';
import { getJson } from '../storage/json.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { emptyHistory, type JobHistory, viewJob } from './view.ts';

/** What is known of a job from earlier looks; each then reads only what is new. */
export type JobMemory =
  | { readonly kind: 'train'; readonly history: JobHistory }
  | {
      readonly kind: 'fan-out';
      readonly accepted: AcceptedFanOut;
      readonly history: FanOutHistory;
    };

/**
 * @param prices of that bucket, for what a job spent that has not ended; default: S3's
 * @returns undefined where there is no such job
 */
export async function rememberJob(
  store: ObjectStore,
  job: string,
  prices?: Prices,
): Promise<JobMemory | undefined> {
  const accepted = await getJson(store, jobSpecKey(job), AnyAcceptedJob);
  if (accepted === undefined) return undefined;
  return isTraining(accepted)
    ? { kind: 'train', history: { ...emptyHistory(), accepted } }
    : { kind: 'fan-out', accepted, history: { prices } };
}

/** @returns undefined where there is no such job any more */
export function lookAtJob(
  store: ObjectStore,
  job: string,
  now: Date,
  memory: JobMemory,
): Promise<JobView | undefined> {
  return memory.kind === 'train'
    ? viewJob(store, job, now, memory.history)
    : viewFanOut(store, memory.accepted, now, memory.history);
}

/** What of a job changes as it goes on; time alone changes nothing. */
export function progressOf(job: JobView): string {
  const done = job.kind === 'train' ? [job.round, job.shardsDone] : [job.parts, job.partsDone];
  return JSON.stringify([job.status, ...done]);
}

export const isTraining = (accepted: AnyAcceptedJob): accepted is AcceptedJob =>
  accepted.spec.kind === 'train';
