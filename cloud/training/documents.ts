/** Reads the job's immutable objects, each at most once per warm function. */
import type { z } from 'zod';
import { AcceptedJob, JobPlan, RoundCommit } from '../../core/contracts/job.ts';
import { jobPlanKey, jobResultKey, jobSpecKey, roundCommitKey } from '../../core/contracts/keys.ts';
import { Fault } from '../../core/errors.ts';
import { type ControlState, readControl, UNTOUCHED } from '../../core/jobs/control.ts';
import { decodeState, type TrainingState } from '../../core/jobs/state.ts';
import { createOptimizer } from '../../core/optimizers/optimizer.ts';
import { getBlob } from '../../core/storage/blobs.ts';
import { getJson } from '../../core/storage/json.ts';
import { headOf } from '../../core/storage/sequence.ts';
import type { FleetContext } from './context.ts';

async function cached<T>(
  { store, caches }: FleetContext,
  key: string,
  schema: z.ZodType<T>,
): Promise<T | undefined> {
  const known = caches.documents.get(key);
  if (known !== undefined) return known as T;
  const value = await getJson(store, key, schema);
  if (value !== undefined) caches.documents.set(key, value);
  return value;
}

/** @throws Fault `not_found`: a task of a job nobody accepted */
export async function acceptedJob(context: FleetContext, job: string): Promise<AcceptedJob> {
  const accepted = await cached(context, jobSpecKey(job), AcceptedJob);
  if (accepted === undefined) throw new Fault('not_found', `no job ${job}`);
  return accepted;
}

export function jobPlan(context: FleetContext, job: string): Promise<JobPlan | undefined> {
  return cached(context, jobPlanKey(job), JobPlan);
}

/** @throws Fault `unavailable`: a round's task was delivered before its plan can be read; the queue tries again */
export async function plannedJob(context: FleetContext, job: string): Promise<JobPlan> {
  const plan = await jobPlan(context, job);
  if (plan === undefined) throw new Fault('unavailable', `job ${job} has no plan yet`);
  return plan;
}

export function roundCommit(
  context: FleetContext,
  job: string,
  round: number,
): Promise<RoundCommit | undefined> {
  return cached(context, roundCommitKey(job, round), RoundCommit);
}

const controlKey = (job: string) => `control of ${job}`;

/** As it was when somebody last asked. */
export const knownStanding = ({ caches }: FleetContext, job: string): ControlState =>
  (caches.documents.get(controlKey(job)) as ControlState | undefined) ?? UNTOUCHED;

/** What people did to the job. Entries already read are not read again: asking is one GET of what is not there. */
export async function standing(context: FleetContext, job: string): Promise<ControlState> {
  const state = await readControl(context.store, job, knownStanding(context, job));
  context.caches.documents.set(controlKey(job), state);
  return state;
}

/** A job that has ended or is paused takes no more work. Not cached: the answer changes, and asking is two requests. */
export async function hasEnded(context: FleetContext, job: string): Promise<boolean> {
  const hasResult = async (run: number) => (await context.store.head(jobResultKey(job, run))) !== undefined;
  const known = knownStanding(context, job);
  const [ended, { paused, run }] = await Promise.all([hasResult(known.run), standing(context, job)]);
  return paused || (run === known.run ? ended : hasResult(run));
}

/** How many rounds are closed: they close in order. */
export function committedRounds({ store }: FleetContext, { job, rounds }: JobPlan): Promise<number> {
  return headOf(store, (n) => roundCommitKey(job, n - 1)).then((closed) => Math.min(closed, rounds));
}

/** SHA-256 of the state that a round starts from. @throws Fault `unavailable` where the round before is open */
export async function baseOfRound(context: FleetContext, plan: JobPlan, round: number): Promise<string> {
  if (round === 0) return plan.initialState;
  const commit = await roundCommit(context, plan.job, round - 1);
  if (commit === undefined)
    throw new Fault('unavailable', `round ${round - 1} of ${plan.job} is not committed`);
  return commit.state;
}

export async function readState(
  { store, caches }: FleetContext,
  accepted: AcceptedJob,
  plan: JobPlan,
  sha256: string,
): Promise<TrainingState> {
  const known = caches.states.get(sha256);
  if (known !== undefined) return known;
  const { slots } = createOptimizer(accepted.spec.optimizer);
  const state = decodeState(await getBlob(store, sha256), plan.parameters, slots);
  caches.states.set(sha256, state);
  return state;
}
