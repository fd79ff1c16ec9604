import type { JobPlan } from '../../core/contracts/job.ts';
import type { FleetContext } from './context.ts';

/** Queues the shards of a round (all of them, or those given), and the watch that looks after it. */
export async function announceRound(
  { queue, watchSeconds }: FleetContext,
  plan: JobPlan,
  round: number,
  shards: readonly number[] = [...plan.shards.keys()],
): Promise<void> {
  const { job } = plan;
  await Promise.all([
    queue.send(shards.map((shard) => ({ v: 1, kind: 'shard', job, round, shard }))),
    queue.send([{ v: 1, kind: 'watch', job, round }], { delaySeconds: watchSeconds }),
  ]);
}
