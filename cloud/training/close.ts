/**
 * Who sees a round complete merges it, in the same invocation: the message that would bring another function to do it is
 * a hop through the queue on the way of every round. The shard's own message is acknowledged only after that, so a death
 * in between is mended by its redelivery: that finds the update there and announces the merge, or finds the commit and
 * announces what follows.
 */
import type { AcceptedJob, JobPlan } from '../../core/contracts/job.ts';
import { roundLookKey } from '../../core/contracts/keys.ts';
import { claimLook } from '../../core/jobs/watch-chain.ts';
import type { Delivery, FleetContext, Observe } from './context.ts';
import { hasEnded, roundCommit } from './documents.ts';
import { announceNext, mergeOpen } from './merge.ts';
import { announceMerge } from './announce.ts';
import { metered } from './metering.ts';
import { hasBegun, isSettled, mergeOf } from './round.ts';

/** Milliseconds that must be left: with less the merge gets a function of its own. */
const ENOUGH_MS = 60_000;
/** Seconds until somebody looks whether whoever was to merge did. */
const LOOK_AFTER_S = 5;
/** The look of whoever saw the round complete first: those of its watches are numbered from 1. */
const SEEN_COMPLETE = 0;

const unobserved: Observe = async (context, _, work) => void (await work(context));

/** After a shard's update was written, or was found there by a redelivery. */
export async function closeIfSettled(
  context: FleetContext,
  accepted: AcceptedJob,
  plan: JobPlan,
  round: number,
  delivery: Delivery,
): Promise<void> {
  if (!(await isSettled(context, accepted, plan, round))) return;
  const task = mergeOf(accepted, plan, round);
  const announce = async (delaySeconds = 0) => {
    if (await hasEnded(context, plan.job)) return;
    await announceMerge(context, plan, round, task, delaySeconds);
  };
  const { remainingMs = () => Infinity } = delivery;
  if (delivery.redelivered || remainingMs() < ENOUGH_MS) return announce();
  // Of shards that finish together several see the round complete: the first to say so merges, and is asked for that while
  // it reads. In place of a clock: a bucket's is exact to the second.
  const merging = metered(context, false);
  const { observe = unobserved } = merging;
  const isFirst = claimLook(merging.store, (n) => roundLookKey(plan.job, round, n), SEEN_COMPLETE, false);
  isFirst.catch(() => {});
  try {
    await observe(merging, { kind: 'merge', jobId: plan.job, round }, (context) =>
      mergeOpen(context, accepted, plan, task, delivery, isFirst),
    );
    if (!(await isFirst)) await announce(LOOK_AFTER_S);
  } catch (thrown) {
    // Committed, and what follows is not announced: the redelivery does that.
    if ((await roundCommit(context, plan.job, round)) !== undefined) throw thrown;
    // What is wrong with a merge is no fault of the shard that happens to do it.
    await announce();
  }
}

/** A closed round of which a shard's message comes again: who died may have been the one that merged. */
export async function announceNextIfStill(
  context: FleetContext,
  accepted: AcceptedJob,
  plan: JobPlan,
  round: number,
): Promise<void> {
  const next = round + 1 + (plan.staleness ?? 0);
  if (next < plan.rounds && (await hasBegun(context, plan, next))) return;
  await announceNext(context, accepted, plan, round, true);
}
