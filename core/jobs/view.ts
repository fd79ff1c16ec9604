/** What a job looks like from outside, read from its objects alone. */
import { AcceptedJob, JobPlan, JobResult, type TrainView, RoundCommit } from '../contracts/job.ts';
import {
  JOB_INDEX_PREFIX,
  jobOfIndexKey,
  jobPlanKey,
  jobResultKey,
  jobSpecKey,
  roundCommitKey,
  shardsPrefix,
} from '../contracts/keys.ts';
import type { TaskMeter } from '../contracts/usage.ts';
import { learningRateAt } from '../optimizers/schedule.ts';
import { getJson } from '../storage/json.ts';
import { eachObject } from '../storage/list.ts';
import { type ControlState, readControl, UNTOUCHED } from './control.ts';
import { isRedrivable, statusOf } from './standing.ts';
import { stepsOfRound } from './schedule.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { sumTraffic } from '../strategies/traffic.ts';

/** Immutable objects already read, so that watching a job costs one look per new thing. */
export interface JobHistory {
  accepted: AcceptedJob | undefined;
  plan: JobPlan | undefined;
  result: JobResult | undefined;
  control: ControlState;
  readonly commits: RoundCommit[];
  /** What updates and checkpoints of open rounds told: by round, then by key. */
  readonly meters: Map<number, Map<string, TaskMeter | undefined>>;
}

export const emptyHistory = (): JobHistory => ({
  accepted: undefined,
  plan: undefined,
  result: undefined,
  control: UNTOUCHED,
  commits: [],
  meters: new Map(),
});

/** Reads what is new since the last call into `history`. @returns false where there is no such job */
export async function readHistory(store: ObjectStore, job: string, history: JobHistory): Promise<boolean> {
  history.accepted ??= await getJson(store, jobSpecKey(job), AcceptedJob);
  if (history.accepted === undefined) return false;
  if (history.result !== undefined && !isRedrivable(history.result)) return true;
  history.control = await readControl(store, job, history.control);
  // The result is read first: commits that come after this look belong to the next one.
  const result = await getJson(store, jobResultKey(job, history.control.run), JobResult);
  history.plan ??= await getJson(store, jobPlanKey(job), JobPlan);
  while (history.plan !== undefined && history.commits.length < history.plan.rounds) {
    const commit = await getJson(store, roundCommitKey(job, history.commits.length), RoundCommit);
    if (commit === undefined) break;
    // Not pushed: two looks at the same time come to the same.
    history.commits[commit.round] = commit;
  }
  history.result = result;
  return true;
}

/** @returns undefined where there is no such job */
export async function viewJob(
  store: ObjectStore,
  job: string,
  now: Date,
  history: JobHistory = emptyHistory(),
): Promise<TrainView | undefined> {
  if (!(await readHistory(store, job, history))) return undefined;
  const { accepted, plan, result, commits } = history;
  if (accepted === undefined) return undefined;
  const { spec } = accepted;
  // A cancelled job's result says nothing of its course.
  const { spent = commits.at(-1)?.spent, lost = commits.at(-1)?.lost } =
    result === undefined || result.status === 'cancelled' ? {} : result;

  const started = plan === undefined ? undefined : Date.parse(plan.plannedAt);
  const ended = result === undefined ? now.getTime() : Date.parse(result.endedAt);
  const seconds = started === undefined ? 0 : Math.max(0, (ended - started) / 1000);
  const samples = commits.reduce((sum, commit) => sum + commit.samples, 0);
  const lastCommit = commits.at(-1);
  const trained =
    started === undefined || lastCommit === undefined
      ? 0
      : (Date.parse(lastCommit.committedAt) - started) / 1000;
  const running = result === undefined && plan !== undefined && commits.length < plan.rounds;

  return {
    job,
    kind: spec.kind,
    model: spec.model.name,
    dataset: { name: spec.dataset.name, version: spec.dataset.version ?? 1 },
    status: statusOf(history),
    acceptedAt: accepted.acceptedAt,
    round: commits.length,
    rounds: plan?.rounds ?? 0,
    epochs: spec.epochs,
    shards: spec.shards,
    shardsDone: running ? await countUpdates(store, job, commits.length) : 0,
    samples,
    samplesPerSecond: trained > 0 ? samples / trained : 0,
    seconds,
    secondsLeft:
      plan === undefined || lastCommit === undefined
        ? null
        : result === undefined
          ? (trained / commits.length) * (plan.rounds - commits.length)
          : 0,
    bytes: sumTraffic(commits.map(({ bytes }) => bytes)),
    history: plan === undefined ? [] : commits.map((commit, i) => point(commit, commits[i - 1], plan, spec)),
    ...(lost === undefined ? {} : { lost }),
    ...(spent === undefined ? {} : { spent }),
    ...(spec.predicted === undefined ? {} : { predicted: spec.predicted }),
    result: result ?? null,
  };
}

function point(
  commit: RoundCommit,
  previous: RoundCommit | undefined,
  plan: JobPlan,
  { schedule, optimizer }: AcceptedJob['spec'],
): TrainView['history'][number] {
  const since = Date.parse(previous?.committedAt ?? plan.plannedAt);
  const seconds = (Date.parse(commit.committedAt) - since) / 1000;
  const { end: steps } = stepsOfRound(plan, commit.round);
  return {
    round: commit.round,
    epoch: steps / plan.stepsPerEpoch,
    step: steps,
    learningRate: learningRateAt(schedule, optimizer.learningRate, steps - 1, plan.steps),
    shards: commit.shards.length,
    committedAt: commit.committedAt,
    loss: commit.loss,
    metrics: commit.metrics,
    samplesPerSecond: seconds > 0 ? commit.samples / seconds : 0,
    ...(commit.bytes === undefined ? {} : { bytes: commit.bytes }),
  };
}

/** For display only: the merge never lists, it reads the keys it knows. */
async function countUpdates(store: ObjectStore, job: string, round: number): Promise<number> {
  const prefix = shardsPrefix(job, round);
  let updates = 0;
  // A checkpoint lies in a folder of its shard's.
  for await (const { key } of eachObject(store, prefix)) if (!key.includes('/', prefix.length)) updates += 1;
  return updates;
}

/** @returns ids of the newest jobs, newest first */
export async function newestJobs(store: ObjectStore, limit: number): Promise<string[]> {
  const { objects } = await store.list(JOB_INDEX_PREFIX, { limit });
  return objects.map(({ key }) => jobOfIndexKey(key));
}
