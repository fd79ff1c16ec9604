/**
 * Task `watch`: some time after a round was announced, look whether it closed, and announce again what is missing.
 * It is what makes a lost message or a function killed for good an ordinary event.
 */
import { shardUpdateKey } from '../../core/contracts/keys.ts';
import { announceRound } from './announce.ts';
import type { FleetContext } from './context.ts';
import { hasEnded, plannedJob, roundCommit } from './documents.ts';
import { announceNext } from './merge.ts';

export async function watchRound(context: FleetContext, job: string, round: number): Promise<void> {
  const { store, queue } = context;
  const [ended, commit, plan] = await Promise.all([
    hasEnded(context, job),
    roundCommit(context, job, round),
    plannedJob(context, job),
  ]);
  if (ended) return;
  if (commit !== undefined) {
    // Closed, but did anybody announce what follows? If the next round has no sign of life, do it again.
    if (!(await hasStarted(context, job, round + 1, plan.rounds, plan.shards.length))) {
      await announceNext(context, plan, round);
    }
    return;
  }
  const present = await Promise.all(
    plan.shards.map((_, shard) => store.head(shardUpdateKey(job, round, shard))),
  );
  const missing = present.flatMap((update, shard) => (update === undefined ? [shard] : []));
  if (missing.length === 0) await queue.send([{ v: 1, kind: 'merge', job, round }]);
  await announceRound(context, plan, round, missing);
}

async function hasStarted(
  { store }: FleetContext,
  job: string,
  round: number,
  rounds: number,
  shards: number,
): Promise<boolean> {
  if (round >= rounds) return false;
  const updates = await Promise.all(
    Array.from({ length: shards }, (_, shard) => store.head(shardUpdateKey(job, round, shard))),
  );
  return updates.some((update) => update !== undefined);
}
