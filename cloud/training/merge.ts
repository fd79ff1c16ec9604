/**
 * Task `merge`: average a round's updates, store the state, commit, announce what comes next. It reads the keys it
 * knows, never a LIST. Once the missing shards are lost a quorum will do: the commit says who was in, and the merged
 * state is a function of that. Dying anywhere in between is harmless: before the commit the next delivery does it again to
 * the same bytes, after it the next delivery finds the commit and only announces.
 */
import { type AcceptedJob, type JobPlan, RoundCommit, ShardReport } from '../../core/contracts/job.ts';
import { roundCommitKey, shardUpdateKey } from '../../core/contracts/keys.ts';
import type { ShardMeter } from '../../core/contracts/usage.ts';
import { Fault } from '../../core/errors.ts';
import { averageUpdates, type ShardUpdate } from '../../core/jobs/average.ts';
import { decodeState, encodeState } from '../../core/jobs/state.ts';
import { combine } from '../../core/metrics/combine.ts';
import { createOptimizer } from '../../core/optimizers/optimizer.ts';
import { putBlob, sha256Hex } from '../../core/storage/blobs.ts';
import { putJson } from '../../core/storage/json.ts';
import { announceRound } from './announce.ts';
import type { Delivery, FleetContext } from './context.ts';
import { acceptedJob, baseOfRound, hasEnded, plannedJob, roundCommit } from './documents.ts';
import { stopIfDue } from './ending.ts';
import { spentIn, usageOf } from './metering.ts';
import { meterOf, quorumOf } from './round.ts';

export interface MergeTask {
  readonly job: string;
  readonly round: number;
  readonly partial?: true | undefined;
}

type ReadUpdate = ShardUpdate & {
  readonly report: ShardReport;
  readonly sha256: string;
  readonly meter: ShardMeter | undefined;
};

export async function mergeRound(
  context: FleetContext,
  { job, round, partial }: MergeTask,
  delivery: Delivery,
): Promise<void> {
  const [ended, commit, accepted, plan] = await Promise.all([
    hasEnded(context, job),
    roundCommit(context, job, round),
    acceptedJob(context, job),
    plannedJob(context, job),
  ]);
  if (ended) return;
  if (commit === undefined) {
    const updates = await readUpdates(context, accepted, plan, round);
    // A shard is missing: its own task announces the merge again, or the watch does.
    if (updates.length < (partial ? quorumOf(accepted, plan) : plan.shards.length)) return;
    if (!(await commitRound(context, plan, round, updates)) && !delivery.redelivered) return;
  } else if (!delivery.redelivered) {
    // Who committed announces the next round. Announcing twice here would double the messages with every round.
    return;
  }
  const closed = await roundCommit(context, job, round);
  if ((await hasEnded(context, job)) || (await stopIfDue(context, job, closed?.spent))) return;
  await announceNext(context, accepted, plan, round);
}

export async function announceNext(
  context: FleetContext,
  accepted: AcceptedJob,
  plan: JobPlan,
  round: number,
): Promise<void> {
  if (round + 1 < plan.rounds) await announceRound(context, accepted, plan, round + 1);
  else await context.queue.send([{ v: 1, kind: 'release', job: plan.job }]);
}

/** Those that are there, in shard order. */
async function readUpdates(
  context: FleetContext,
  { spec }: AcceptedJob,
  plan: JobPlan,
  round: number,
): Promise<ReadUpdate[]> {
  const base = await baseOfRound(context, plan, round);
  const { slots } = createOptimizer(spec.optimizer);
  const updates = await Promise.all(
    plan.shards.map(async (_, shard): Promise<ReadUpdate | undefined> => {
      const key = shardUpdateKey(plan.job, round, shard);
      const object = await context.store.get(key);
      if (object === undefined) return undefined;
      const { metadata, ...state } = decodeState(object.body, plan.parameters, slots);
      if (metadata['base'] !== base)
        throw new Fault('unprocessable', `${key} was trained from another state`);
      const report = ShardReport.parse(JSON.parse(metadata['report'] ?? 'null'));
      return {
        shard,
        samples: report.samples,
        state,
        report,
        sha256: await sha256Hex(object.body),
        meter: meterOf(object),
      };
    }),
  );
  return updates.filter((update) => update !== undefined);
}

/** @returns false where another delivery committed first */
async function commitRound(
  context: FleetContext,
  plan: JobPlan,
  round: number,
  updates: readonly ReadUpdate[],
): Promise<boolean> {
  const { store, caches, now } = context;
  const merged = averageUpdates(updates);
  const state = await putBlob(store, encodeState(merged, plan.parameters));
  caches.states.set(state, merged);
  const samples = updates.reduce((sum, update) => sum + update.samples, 0);
  const measured = combine(updates.map(({ report }) => report));
  if (measured.count === 0)
    throw new Fault('unprocessable', `round ${round}: the loss counts nothing in any of its rows`, {
      field: 'loss',
    });
  const present = new Set(updates.map(({ shard }) => shard));
  const missing = [...plan.shards.keys()].filter((shard) => !present.has(shard));
  const before = round === 0 ? undefined : await roundCommit(context, plan.job, round - 1);
  const spent = spentIn(context, [
    before?.spent ?? plan.usage,
    ...updates.map(({ meter }) => meter?.usage),
    usageOf(context),
  ]);
  const commit = RoundCommit.parse({
    v: 1,
    job: plan.job,
    round,
    base: await baseOfRound(context, plan, round),
    state,
    shards: updates.map(({ report, sha256, meter }) => ({ ...report, sha256, ...meter })),
    ...(missing.length === 0 ? {} : { missing }),
    spent,
    samples,
    ...measured,
    committedAt: now().toISOString(),
  } satisfies RoundCommit);
  const key = roundCommitKey(plan.job, round);
  const outcome = await putJson(store, key, commit, 'create');
  if (outcome.kind === 'refused') return false;
  caches.documents.set(key, commit);
  return true;
}
