/** Messages that announce the work of a round: its shards, the watch that looks after it, its merge. */
import type { AcceptedJob, JobPlan } from '../../core/contracts/job.ts';
import { mergedSliceKey, roundLookKey, roundMembersKey } from '../../core/contracts/keys.ts';
import type { Task } from '../../core/contracts/task.ts';
import { nextLook } from '../../core/jobs/watch-chain.ts';
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

/** Queues whatever it is that a complete round waits for: its merge, or those of the slices that are not merged yet. */
export async function announceMerge(
  { store, queue }: FleetContext,
  { job, slices = [] }: JobPlan,
  round: number,
  { partial }: Pick<Extract<Task, { kind: 'merge' }>, 'partial'> = {},
  delaySeconds = 0,
): Promise<void> {
  const merge = { v: 1, kind: 'merge', job, round } as const;
  const isSettled = slices.length > 0 && (await store.head(roundMembersKey(job, round))) !== undefined;
  const done = await Promise.all(
    isSettled ? slices.map((_, slice) => store.head(mergedSliceKey(job, round, slice))) : [],
  );
  const missing = done.flatMap((each, slice) => (each === undefined ? [{ ...merge, slice }] : []));
  const tasks = missing.length > 0 ? missing : [{ ...merge, ...(partial ? { partial } : {}) }];
  await queue.send(tasks, { delaySeconds });
}
