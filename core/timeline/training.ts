/** When the shards of a training job ran, read from its objects alone. */
import type { JobPlan } from '../contracts/job.ts';
import {
  TIMELINE_PAGE,
  type TimelineQuery,
  type TimelineRound,
  type TrainTimeline,
} from '../contracts/timeline.ts';
import { statusOf } from '../jobs/standing.ts';
import { type JobHistory, readHistory } from '../jobs/view.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { numbersOf, pageOf } from './page.ts';
import { timelineRound } from './round.ts';
import { type KnownMeters, lookAtRound } from './traces.ts';

/** @returns undefined where there is no such job */
export async function trainTimeline(
  store: ObjectStore,
  job: string,
  now: Date,
  history: JobHistory,
  query: TimelineQuery,
): Promise<TrainTimeline | undefined> {
  if (!(await readHistory(store, job, history)) || history.accepted === undefined) return undefined;
  const { accepted, plan, result, commits } = history;
  const begun = plan === undefined ? 0 : begunRounds(plan, commits.length, result?.status === 'succeeded');
  const shards = plan?.shards.length ?? 0;
  const range = pageOf(query, {
    total: begun,
    newest: begun,
    most: Math.floor(TIMELINE_PAGE.bars / Math.max(1, shards)),
    usual: TIMELINE_PAGE.rounds,
  });
  const page =
    plan === undefined
      ? []
      : await Promise.all(numbersOf(range).map((round) => readRound(store, plan, history, round)));
  return {
    job,
    kind: 'train',
    status: statusOf(history),
    acceptedAt: accepted.acceptedAt,
    ...(plan === undefined ? {} : { plannedAt: plan.plannedAt }),
    ...(result === undefined ? {} : { endedAt: result.endedAt }),
    now: now.toISOString(),
    first: range.start,
    shards,
    rounds: plan?.rounds ?? 0,
    begun,
    overlap: 1 + (plan?.staleness ?? 0),
    page,
  };
}

/** Rounds that overlap are under way together. */
const begunRounds = ({ rounds, staleness = 0 }: JobPlan, committed: number, succeeded: boolean): number =>
  succeeded ? committed : Math.min(rounds, committed + 1 + staleness);

async function readRound(
  store: ObjectStore,
  plan: JobPlan,
  { commits, meters, control: { run } }: JobHistory,
  round: number,
): Promise<TimelineRound> {
  const commit = commits[round];
  // Closed: what was remembered of its updates its commit has.
  if (commit !== undefined) meters.delete(round);
  if (commit !== undefined && commit.shards.length === plan.shards.length)
    return timelineRound(plan, commits, round);
  const known: KnownMeters = meters.get(round) ?? new Map();
  if (commit === undefined) meters.set(round, known);
  const isIn = new Set(commit?.shards.map(({ shard }) => shard));
  const isWanted = (shard: number) => shard < plan.shards.length && !isIn.has(shard);
  const traces = await lookAtRound(store, { job: plan.job, round, run }, isWanted, known);
  return timelineRound(plan, commits, round, traces);
}
