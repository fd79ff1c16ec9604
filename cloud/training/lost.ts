/** A shard that no retry mends: set aside with its reason. The round goes on without it where a quorum allows, else the job ends. */
import { type JobPlan, type LeftOut, LostShard, type RoundCommit } from '../../core/contracts/job.ts';
import { lostShardKey } from '../../core/contracts/keys.ts';
import type { Task } from '../../core/contracts/task.ts';
import { errorBody } from '../../core/errors.ts';
import { getJson, putJson } from '../../core/storage/json.ts';
import type { FleetContext } from './context.ts';
import { acceptedJob, hasEnded, plannedJob, standing } from './documents.ts';
import { announceMergeIfSettled, quorumOf, roundProgress } from './round.ts';

type ShardTask = Extract<Task, { kind: 'shard' }>;

/** @returns true where the job can do without it */
export async function loseShard(context: FleetContext, task: ShardTask, thrown: unknown): Promise<boolean> {
  const { job, round, shard } = task;
  if (await hasEnded(context, job)) return true;
  const [accepted, plan, { run }] = await Promise.all([
    acceptedJob(context, job),
    plannedJob(context, job),
    standing(context, job),
  ]);
  const quorum = quorumOf(accepted, plan);
  if (quorum === plan.shards.length) return false;
  const { body } = errorBody(thrown);
  const lost: LostShard = {
    v: 1,
    job,
    round,
    shard,
    reason: body.error,
    ...(body.field === undefined ? {} : { field: body.field }),
    at: context.now().toISOString(),
  };
  await putJson(context.store, lostShardKey(job, round, shard, run), lost, 'create');
  const progress = await roundProgress(context, accepted, plan, round);
  if (progress.lost.length > plan.shards.length - quorum) return false;
  await announceMergeIfSettled(context, accepted, plan, round);
  return true;
}

/**
 * What the job went without up to a round, for those who look at it: told by each commit, as what was spent is.
 * @param missing shards that the round closes without
 */
export async function leftOut(
  context: FleetContext,
  { job }: JobPlan,
  round: number,
  missing: readonly number[],
  before: RoundCommit | undefined,
): Promise<LeftOut[] | undefined> {
  const all = new Map(before?.lost?.map((one) => [one.shard, one]));
  if (missing.length > 0) {
    const { run } = await standing(context, job);
    const found = await Promise.all(
      missing.map((shard) => getJson(context.store, lostShardKey(job, round, shard, run), LostShard)),
    );
    missing.forEach((shard, i) => {
      const reason = found[i]?.reason ?? 'it gave no update in time';
      all.set(shard, { shard, rounds: (all.get(shard)?.rounds ?? 0) + 1, reason });
    });
  }
  return all.size === 0 ? undefined : [...all.values()].toSorted((a, b) => a.shard - b.shard);
}
