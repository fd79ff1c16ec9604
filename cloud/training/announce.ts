import type { AcceptedJob, JobPlan } from '../../core/contracts/job.ts';
import { roundLookKey } from '../../core/contracts/keys.ts';
import { nextLook } from '../../core/jobs/looks.ts';
import { firstLook, type WatchTimes } from '../../core/jobs/stragglers.ts';
import type { FleetContext } from './context.ts';
import { lastBefore } from './documents.ts';
import { lastPart, quorumOf, shardTask } from './round.ts';

export const watchTimes = ({ watchSeconds, lostSeconds = 2 * watchSeconds }: FleetContext): WatchTimes => ({
  watchSeconds,
  lostSeconds,
});

/**
 * Queues a round: the watch that looks after it, and its shards. In one request as far as the queue takes it: whoever
 * dies between two has at least announced the watch.
 * @param again it may have been announced before, and be watched by now, or no more
 */
export async function announceRound(
  context: FleetContext,
  accepted: AcceptedJob,
  plan: JobPlan,
  round: number,
  again: boolean,
): Promise<void> {
  const { job } = plan;
  const number = again ? await nextLook(context.store, (n) => roundLookKey(job, round, n)) : 1;
  const before = await lastBefore(context, plan, round);
  const seconds = (before?.shards ?? []).flatMap(({ usage }) => usage?.functionSeconds ?? []);
  const shards = { shards: plan.shards.length, quorum: quorumOf(accepted, plan) };
  const delay = firstLook(seconds, watchTimes(context), shards);
  await context.queue.send(
    [
      { v: 1, kind: 'watch', job, round, number },
      ...plan.shards.map((_, shard) => shardTask(job, round, shard, 0)),
    ],
    { delaySeconds: ({ kind }) => (kind === 'watch' ? delay : 0) },
  );
}

/**
 * Queues shards once more, each from where its last execution got to.
 * @param copy which backup copy; undefined: what was announced before is gone
 */
export async function announceShards(
  context: FleetContext,
  plan: JobPlan,
  round: number,
  shards: readonly number[],
  copy?: number,
): Promise<void> {
  const { job } = plan;
  const tasks = await Promise.all(
    shards.map(async (shard) =>
      shardTask(job, round, shard, await lastPart(context, job, round, shard), copy),
    ),
  );
  await context.queue.send(tasks);
}
