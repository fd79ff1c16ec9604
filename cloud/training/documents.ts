/** Reads the job's immutable objects, each at most once per warm function. */
import type { z } from 'zod';
import type { AcceptedFanOut } from '../../core/contracts/fan-out.ts';
import { AcceptedJob, AnyAcceptedJob, JobPlan, type Part, RoundCommit } from '../../core/contracts/job.ts';
import type { DatasetManifest } from '../../core/contracts/dataset.ts';
import { jobPlanKey, jobSpecKey, roundCommitKey } from '../../core/contracts/keys.ts';
import { readManifest } from '../../core/datasets/read.ts';
import { Fault } from '../../core/errors.ts';
import type { ControlState } from '../../core/jobs/control.ts';
import { isTraining } from '../../core/jobs/look.ts';
import { askControl, askStanding, goesOn, knownControl } from '../../core/jobs/standing.ts';
import type { TrainingState } from '../../core/jobs/state.ts';
import { getDocument, type Remembering } from '../../core/storage/documents.ts';
import { headOf } from '../../core/storage/sequence.ts';
import { strategyOf } from '../../core/strategies/table.ts';
import type { FleetContext } from './context.ts';
import { getModel, getState } from './parts.ts';

const remembering = ({ store, caches: { documents } }: FleetContext): Remembering => ({ store, documents });

const cached = <T>(context: FleetContext, key: string, schema: z.ZodType<T>) =>
  getDocument(remembering(context), key, schema);

/** @throws Fault `not_found`: a task of a job nobody accepted */
export async function acceptedJob(context: FleetContext, job: string): Promise<AcceptedJob> {
  const accepted = await cached(context, jobSpecKey(job), AcceptedJob);
  if (accepted === undefined) throw new Fault('not_found', `no job ${job}`);
  return accepted;
}

/** @returns undefined where the job is a training @throws Fault `not_found`: a task of a job nobody accepted */
export async function acceptedFanOut(
  context: FleetContext,
  job: string,
): Promise<AcceptedFanOut | undefined> {
  const accepted = await cached(context, jobSpecKey(job), AnyAcceptedJob);
  if (accepted === undefined) throw new Fault('not_found', `no job ${job}`);
  return isTraining(accepted) ? undefined : accepted;
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

/** Of the version that is planned with. */
export const plannedDataset = (
  { store, caches }: FleetContext,
  { dataset: { name, version } }: JobPlan,
): Promise<DatasetManifest> => readManifest(store, name, version, caches.documents);

export function roundCommit(
  context: FleetContext,
  job: string,
  round: number,
): Promise<RoundCommit | undefined> {
  return cached(context, roundCommitKey(job, round), RoundCommit);
}

/** As it was when somebody last asked. */
export const knownStanding = (context: FleetContext, job: string): ControlState =>
  knownControl(remembering(context), job);

/** What people did to the job. */
export const standing = (context: FleetContext, job: string): Promise<ControlState> =>
  askControl(remembering(context), job);

/** A job that has ended or is paused takes no more work. */
export async function hasEnded(context: FleetContext, job: string): Promise<boolean> {
  return !goesOn(await askStanding(remembering(context), job));
}

/** How many rounds are closed: they close in order. */
export function committedRounds({ store }: FleetContext, { job, rounds }: JobPlan): Promise<number> {
  return headOf(store, (n) => roundCommitKey(job, n - 1)).then((closed) => Math.min(closed, rounds));
}

/**
 * SHA-256 of the state that a round's merge goes on from, which is what its shards start from unless rounds overlap.
 * @throws Fault `unavailable` where the round before is open
 */
export async function baseOfRound(context: FleetContext, plan: JobPlan, round: number): Promise<string> {
  if (round === 0) return plan.initialState;
  const commit = await roundCommit(context, plan.job, round - 1);
  if (commit === undefined)
    throw new Fault('unavailable', `round ${round - 1} of ${plan.job} is not committed`);
  return commit.state;
}

/** The commit that had the round announced; undefined: the plan had it. */
export async function lastBefore(
  context: FleetContext,
  { job, staleness = 0 }: JobPlan,
  round: number,
): Promise<RoundCommit | undefined> {
  const before = round - 1 - staleness;
  return before < 0 ? undefined : roundCommit(context, job, before);
}

/** What a round's shards start from. */
export interface Start {
  /** Of the model; where there is none, of the state. */
  readonly sha256: string;
  /** Undefined: they start from the state. */
  readonly model: Part | undefined;
  /** What each shard kept when it was last in; undefined: nothing. */
  readonly residuals: readonly (Part | null)[] | undefined;
}

/** @throws Fault `unavailable` where the round that it comes from is open */
export async function startOfRound(context: FleetContext, plan: JobPlan, round: number): Promise<Start> {
  const from = Math.max(0, round - (plan.staleness ?? 0));
  if (from === 0) {
    const { initialModel: model, initialState } = plan;
    return { sha256: model?.sha256 ?? initialState, model, residuals: undefined };
  }
  const commit = await roundCommit(context, plan.job, from - 1);
  if (commit === undefined)
    throw new Fault('unavailable', `round ${from - 1} of ${plan.job} is not committed`);
  const { model, state, residuals } = commit;
  return { sha256: model?.sha256 ?? state, model, residuals };
}

export async function readState(
  { store, caches }: FleetContext,
  { spec }: AcceptedJob,
  plan: JobPlan,
  sha256: string,
): Promise<TrainingState> {
  const known = caches.states.get(sha256);
  if (known !== undefined) return known;
  const state = await getState(store, plan, strategyOf(spec).slots, sha256);
  caches.states.set(sha256, state);
  return state;
}

/** The parameters that a round's shards start from. */
export async function readStart(
  context: FleetContext,
  accepted: AcceptedJob,
  plan: JobPlan,
  { sha256, model }: Start,
): Promise<Float32Array<ArrayBuffer>> {
  if (model === undefined) return (await readState(context, accepted, plan, sha256)).parameters;
  const known = context.caches.states.get(sha256);
  if (known !== undefined) return known.parameters;
  const parameters = await getModel(context.store, plan, sha256);
  context.caches.states.set(sha256, { parameters, slots: {} });
  return parameters;
}
