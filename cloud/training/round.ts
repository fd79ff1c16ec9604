/** What there is of an open round: updates, shards that are lost, and those nobody knows of. */
import { LostShard, type AcceptedJob, type JobPlan } from '../../core/contracts/job.ts';
import { lostShardKey, roundCommitKey, shardPartKey, shardUpdateKey } from '../../core/contracts/keys.ts';
import type { Task } from '../../core/contracts/task.ts';
import { ASKED_AT_ONCE } from '../../core/jobs/stragglers.ts';
import { getJson } from '../../core/storage/json.ts';
import type { ObjectInfo } from '../../core/storage/object-store.ts';
import { headOf } from '../../core/storage/sequence.ts';
import type { FleetContext } from './context.ts';
import { hasEnded, standing } from './documents.ts';

export interface RoundProgress {
  readonly done: readonly ObjectInfo[];
  readonly lost: readonly LostShard[];
  readonly missing: readonly number[];
}

export const quorumOf = ({ spec }: AcceptedJob, plan: JobPlan): number =>
  Math.min(spec.quorum ?? plan.shards.length, plan.shards.length);

/** One HEAD a shard, and where not all are needed a GET for each that has no update. */
export async function roundProgress(
  context: FleetContext,
  accepted: AcceptedJob,
  plan: JobPlan,
  round: number,
): Promise<RoundProgress> {
  const { store } = context;
  const { job } = plan;
  const mayLose = quorumOf(accepted, plan) < plan.shards.length;
  const run = mayLose ? (await standing(context, job)).run : 1;
  const shards = await Promise.all(
    plan.shards.map(async (_, shard) => {
      const update = await store.head(shardUpdateKey(job, round, shard));
      if (update !== undefined || !mayLose) return { shard, update };
      return { shard, update, lost: await getJson(store, lostShardKey(job, round, shard, run), LostShard) };
    }),
  );
  return {
    done: shards.map(({ update }) => update).filter((update) => update !== undefined),
    lost: shards.map(({ lost }) => lost).filter((lost) => lost !== undefined),
    missing: shards.flatMap(({ shard, update, lost }) =>
      update === undefined && lost === undefined ? [shard] : [],
    ),
  };
}

/** The last checkpoint of a shard, 0 where there is none. */
export const lastPart = ({ store }: FleetContext, job: string, round: number, shard: number) =>
  headOf(store, (part) => shardPartKey(job, round, shard, part));

/** @param copy which backup copy; undefined: it is none */
export const shardTask = (job: string, round: number, shard: number, part: number, copy?: number): Task => ({
  v: 1,
  kind: 'shard',
  job,
  round,
  shard,
  ...(part === 0 ? {} : { part }),
  ...(copy === undefined ? {} : { copy }),
});

/** No update is to come any more, and there are enough. */
export async function isSettled(
  context: FleetContext,
  accepted: AcceptedJob,
  plan: JobPlan,
  round: number,
): Promise<boolean> {
  const quorum = quorumOf(accepted, plan);
  if (quorum < plan.shards.length) {
    const { done, missing } = await roundProgress(context, accepted, plan, round);
    return missing.length === 0 && done.length >= quorum;
  }
  for (let start = 0; start < plan.shards.length; start += ASKED_AT_ONCE) {
    const shards = [...plan.shards.keys()].slice(start, start + ASKED_AT_ONCE);
    const updates = await Promise.all(
      shards.map((shard) => context.store.head(shardUpdateKey(plan.job, round, shard))),
    );
    if (updates.includes(undefined)) return false;
  }
  return true;
}

/** Somebody has worked on it. */
export async function hasBegun({ store }: FleetContext, plan: JobPlan, round: number): Promise<boolean> {
  const { job } = plan;
  if ((await store.head(roundCommitKey(job, round))) !== undefined) return true;
  const updates = await Promise.all(
    plan.shards.map((_, shard) => store.head(shardUpdateKey(job, round, shard))),
  );
  return updates.some((update) => update !== undefined);
}

/** Of the shards that finish together two may both see the round complete: two merges are harmless. */
export async function announceMergeIfSettled(
  context: FleetContext,
  accepted: AcceptedJob,
  plan: JobPlan,
  round: number,
): Promise<void> {
  if (!(await isSettled(context, accepted, plan, round)) || (await hasEnded(context, plan.job))) return;
  await context.queue.send([mergeOf(accepted, plan, round)]);
}

/** The merge of those that are in, be it that not all have to be. */
export const mergeOf = (
  accepted: AcceptedJob,
  plan: JobPlan,
  round: number,
): Extract<Task, { kind: 'merge' }> => ({
  v: 1,
  kind: 'merge',
  job: plan.job,
  round,
  ...(quorumOf(accepted, plan) < plan.shards.length ? { partial: true } : {}),
});
