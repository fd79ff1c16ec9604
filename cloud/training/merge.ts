/**
 * Task `merge`: merge a round's updates, store the state, commit, announce what comes next. It reads the keys it
 * knows, never a LIST. Once the missing shards are lost a quorum will do: the commit says who was in, and the merged
 * state is a function of that. Dying anywhere in between is harmless: before the commit the next delivery does it again to
 * the same bytes, after it the next delivery finds the commit and only announces.
 */
import {
  type AcceptedJob,
  type JobPlan,
  type Part,
  RoundCommit,
  type RoundShard,
} from '../../core/contracts/job.ts';
import { roundCommitKey } from '../../core/contracts/keys.ts';
import { spentIn } from '../../core/costs/spent.ts';
import { combine } from '../../core/metrics/combine.ts';
import { putJson } from '../../core/storage/json.ts';
import { trafficOf } from '../../core/strategies/traffic.ts';
import { announceRound } from './announce.ts';
import type { Delivery, FleetContext } from './context.ts';
import {
  acceptedJob,
  baseOfRound,
  hasEnded,
  plannedJob,
  roundCommit,
  type Start,
  startOfRound,
} from './documents.ts';
import { stopIfDue } from './ending.ts';
import { joinSlices, memberOf } from './join-slices.ts';
import { leftOut } from './lost.ts';
import { mergeWhole } from './merge-whole.ts';
import { usageOf } from './metering.ts';
import { announceMergeIfSettled, quorumOf } from './round.ts';
import { type PresentUpdate, presentUpdate } from './updates.ts';

export interface MergeTask {
  readonly job: string;
  readonly round: number;
  readonly partial?: true | undefined;
}

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
    await mergeOpen(context, accepted, plan, { job, round, partial }, delivery);
    return;
  }
  // Who committed announces the next round. Announcing twice here would double the messages with every round.
  if (delivery.redelivered && !(await stopIfDue(context, job, commit.spent)))
    await announceNext(context, accepted, plan, round, true);
}

/**
 * Of a round that has no commit yet, as far as the caller knows; whether the job has ended is asked on the way.
 * @param isOurs false: another one merges it
 * @returns whether there was something to merge, and it was ours
 */
export async function mergeOpen(
  context: FleetContext,
  accepted: AcceptedJob,
  plan: JobPlan,
  { job, round, partial }: MergeTask,
  delivery: Delivery,
  isOurs: Promise<boolean> = Promise.resolve(true),
): Promise<boolean> {
  // Of rounds that overlap this one may be complete first: who commits the one before announces this merge again.
  if (plan.staleness !== undefined && !(await isCommitted(context, job, round - 1))) return false;
  const start = await startOfRound(context, plan, round);
  const updates = await readUpdates(context, plan, round, start);
  // A shard is missing: its own task announces the merge again, or the watch does.
  const isComplete = updates.length >= (partial ? quorumOf(accepted, plan) : plan.shards.length);
  if (!isComplete || !(await isOurs)) return false;
  // Asked meanwhile: what is announced to a job that has just ended returns at once anyway.
  const asked = hasEnded(context, job);
  // Looked at below, where it is known whether there is a commit.
  asked.catch(() => {});
  const commitment = await commitRound(context, { accepted, plan, round, start }, updates, delivery);
  if (commitment === 'later' || (commitment === 'refused' && !delivery.redelivered)) return true;
  if (await asked) return true;
  const closed = await roundCommit(context, job, round);
  if (!(await stopIfDue(context, job, closed?.spent)))
    await announceNext(context, accepted, plan, round, delivery.redelivered);
  return true;
}

export async function announceNext(
  context: FleetContext,
  accepted: AcceptedJob,
  plan: JobPlan,
  round: number,
  again: boolean,
): Promise<void> {
  const { job, rounds, staleness = 0 } = plan;
  const next = round + 1;
  if (next === rounds) return context.queue.send([{ v: 1, kind: 'release', job }]);
  if (next + staleness < rounds) await announceRound(context, accepted, plan, next + staleness, again);
  // Of rounds that overlap the next may be complete already.
  if (staleness > 0) await announceMergeIfSettled(context, accepted, plan, next);
}

async function isCommitted(context: FleetContext, job: string, round: number): Promise<boolean> {
  return round < 0 || (await roundCommit(context, job, round)) !== undefined;
}

/** Those that are there, in shard order. */
async function readUpdates(
  context: FleetContext,
  plan: JobPlan,
  round: number,
  { sha256 }: Start,
): Promise<PresentUpdate[]> {
  const updates = await Promise.all(
    plan.shards.map((_, shard) => presentUpdate(context, plan.job, round, shard, sha256)),
  );
  return updates.filter((update) => update !== undefined);
}

interface Round {
  readonly accepted: AcceptedJob;
  readonly plan: JobPlan;
  readonly round: number;
  readonly start: Start;
}

/** `later`: others have to do their part first. `refused`: another delivery committed first. */
type Commitment = 'committed' | 'refused' | 'later';

async function commitRound(
  context: FleetContext,
  { accepted, plan, round, start }: Round,
  updates: readonly PresentUpdate[],
  delivery: Delivery,
): Promise<Commitment> {
  const { store, caches, now } = context;
  const merged =
    plan.slices === undefined
      ? { ...(await mergeWhole(context, accepted, plan, round, updates)), members: updates.map(memberOf) }
      : await joinSlices(context, plan, round, updates, delivery);
  if (merged === undefined) return 'later';
  const { members, state, model } = merged;
  const residuals = residualsAfter(plan, start, members);
  const present = new Set(members.map(({ shard }) => shard));
  const missing = [...plan.shards.keys()].filter((shard) => !present.has(shard));
  const before = round === 0 ? undefined : await roundCommit(context, plan.job, round - 1);
  const lost = await leftOut(context, plan, round, missing, before);
  const spent = spentIn(context, [
    before?.spent ?? plan.usage,
    ...members.map(({ usage }) => usage),
    ...merged.usages,
    usageOf(context),
  ]);
  const commit = RoundCommit.parse({
    v: 1,
    job: plan.job,
    round,
    base: await baseOfRound(context, plan, round),
    state: state.sha256,
    ...(model === undefined ? {} : { model }),
    shards: [...members],
    ...(missing.length === 0 ? {} : { missing }),
    ...(lost === undefined ? {} : { lost }),
    ...(residuals === undefined ? {} : { residuals }),
    spent,
    samples: members.reduce((sum, { samples }) => sum + samples, 0),
    ...combine(members),
    bytes: trafficOf({
      shards: members,
      // As long as the one before: the same tensors under the same names.
      startBytes: start.model?.bytes ?? state.bytes,
      residuals: start.residuals,
      mergeRead: merged.read,
      mergeWritten: merged.written,
    }),
    committedAt: now().toISOString(),
  } satisfies RoundCommit);
  const key = roundCommitKey(plan.job, round);
  const outcome = await putJson(store, key, commit, 'create');
  if (outcome.kind === 'refused') return 'refused';
  caches.documents.set(key, commit);
  return 'committed';
}

/** A shard that was not in keeps what it kept before. */
function residualsAfter(
  plan: JobPlan,
  { residuals }: Start,
  members: readonly RoundShard[],
): (Part | null)[] | undefined {
  const after = plan.shards.map((_, shard) => {
    const member = members.find((each) => each.shard === shard);
    return member?.residual ?? residuals?.[shard] ?? null;
  });
  return after.every((part) => part === null) ? undefined : after;
}
