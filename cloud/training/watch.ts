/**
 * Task `watch`: look whether a round goes on, and announce again what is slow or lost (core/jobs/stragglers.ts). It is
 * what makes a lost message or a function killed for good an ordinary event. Each look sends the next before it ends,
 * until the round after has begun; core/jobs/watch-chain.ts says why that stays one chain.
 */
import type { AcceptedJob, JobPlan, RoundCommit } from '../../core/contracts/job.ts';
import { roundLookKey } from '../../core/contracts/keys.ts';
import type { Task } from '../../core/contracts/task.ts';
import { spentIn } from '../../core/costs/spent.ts';
import { claimLook } from '../../core/jobs/watch-chain.ts';
import { meterOf } from '../../core/jobs/meter.ts';
import { MAX_DELAY_S } from '../../core/queue/task-queue.ts';
import { lookAt, MAX_LOOKS } from '../../core/jobs/stragglers.ts';
import { announceMerge, announceShards, watchTimes } from './announce.ts';
import type { Delivery, FleetContext } from './context.ts';
import { acceptedJob, hasEnded, jobPlan, lastBefore, roundCommit } from './documents.ts';
import { stopIfDue, untilDeadline } from './ending.ts';
import { failJob } from './fail.ts';
import { announceNext } from './merge.ts';
import { hasBegun, quorumOf, roundProgress } from './round.ts';

export type WatchTask = Extract<Task, { kind: 'watch' }>;

export async function watchRound(context: FleetContext, task: WatchTask, delivery: Delivery): Promise<void> {
  const { job, round } = task;
  const [ended, commit, accepted, plan] = await Promise.all([
    hasEnded(context, job),
    roundCommit(context, job, round),
    acceptedJob(context, job),
    jobPlan(context, job),
  ]);
  if (ended) return;
  if (plan === undefined) return watchUnplanned(context, accepted, task);
  if (commit === undefined) await watchOpen(context, accepted, plan, task, delivery);
  else await watchClosed(context, accepted, plan, commit, task, delivery);
}

/** `last`: of this number another one goes on. What it was sent to announce at once it announces all the same. */
async function claim(
  { store }: FleetContext,
  { job, round, number = 1, announce }: WatchTask,
  { redelivered }: Delivery,
): Promise<'goes on' | 'last' | 'ends'> {
  if (await claimLook(store, (n) => roundLookKey(job, round, n), number, redelivered)) return 'goes on';
  return announce ? 'last' : 'ends';
}

async function watchUnplanned(context: FleetContext, accepted: AcceptedJob, task: WatchTask): Promise<void> {
  const { queue, now, watchSeconds } = context;
  const { job, look = 0, announce } = task;
  if (await stopIfDue(context, job)) return;
  const silence = (now().getTime() - Date.parse(accepted.acceptedAt)) / 1000;
  if (look >= MAX_LOOKS) return failRound(context, job, 'the plan did not come', silence);
  const wait = Math.min(MAX_DELAY_S, watchSeconds * 2 ** look);
  if (announce || silence >= wait) await queue.send([{ v: 1, kind: 'plan', job }]);
  await lookAgain(context, { v: 1, kind: 'watch', job, round: 0, look: look + 1 }, wait);
}

/** A deadline is not slept through. */
async function lookAgain(context: FleetContext, task: WatchTask, delaySeconds: number): Promise<void> {
  const left = await untilDeadline(context, task.job);
  await context.queue.send([task], { delaySeconds: Math.min(delaySeconds, left) });
}

async function watchOpen(
  context: FleetContext,
  accepted: AcceptedJob,
  plan: JobPlan,
  task: WatchTask,
  delivery: Delivery,
): Promise<void> {
  const { now } = context;
  const { job, round, look = -1, seen = 0, copies = 0, number = 1 } = task;
  const claimed = await claim(context, task, delivery);
  if (claimed === 'ends') return;
  const [before, closed] = await Promise.all([
    lastBefore(context, plan, round),
    round === 0 ? undefined : roundCommit(context, job, round - 1),
  ]);
  const { done, lost, missing } = await roundProgress(context, accepted, plan, round);
  const meters = done.map(meterOf);
  const spent = spentIn(context, [
    (closed ?? before)?.spent ?? plan.usage,
    ...meters.map((meter) => meter?.usage),
  ]);
  if (await stopIfDue(context, job, spent)) return;

  const { verdict, next, delaySeconds } = lookAt(
    {
      shards: plan.shards.length,
      quorum: quorumOf(accepted, plan),
      done: done.map(({ modifiedAt }, i) => ({
        startedAt: Date.parse(meters[i]?.startedAt ?? '') || modifiedAt.getTime(),
        seconds: meters[i]?.usage.functionSeconds ?? 0,
      })),
      lost: lost.length,
      announcedAt: Date.parse(before?.committedAt ?? plan.plannedAt),
      now: now().getTime(),
      look,
      seen,
      copies,
    },
    watchTimes(context),
  );
  if (verdict.kind === 'give-up') {
    const what =
      missing.length === 0 ? 'its merge did not come' : `shards ${missing.join(', ')} gave no update`;
    const reason = `round ${round}: ${what} though announced again and again`;
    await failRound(context, job, reason, verdict.silence);
    return;
  }
  if (verdict.kind === 'merge') await announceMerge(context, plan, round, { partial: true });
  else if (verdict.again) await announceShards(context, plan, round, missing, next.copies);
  else if (task.announce) await announceShards(context, plan, round, missing);
  if (claimed === 'goes on')
    await lookAgain(context, { v: 1, kind: 'watch', job, round, ...next, number: number + 1 }, delaySeconds);
}

/** Closed, but did anybody announce what follows? If that gives no sign of life for long enough, do it again. */
async function watchClosed(
  context: FleetContext,
  accepted: AcceptedJob,
  plan: JobPlan,
  commit: RoundCommit,
  task: WatchTask,
  delivery: Delivery,
): Promise<void> {
  const { job, round, look = 0, number = 1, announce } = task;
  const { now, watchSeconds } = context;
  const isLast = round + 1 === plan.rounds;
  const next = round + 1 + (plan.staleness ?? 0);
  // Of rounds that overlap the last ones are all announced, and have watches of their own.
  if (!isLast && (next >= plan.rounds || (await hasBegun(context, plan, next)))) return;
  const claimed = await claim(context, task, delivery);
  if (claimed === 'ends') return;
  const silence = (now().getTime() - Date.parse(commit.committedAt)) / 1000;
  const wait = Math.min(MAX_DELAY_S, watchSeconds * 2 ** look);
  if (announce || silence >= wait) {
    if (look >= MAX_LOOKS) {
      await failRound(context, job, `${isLast ? 'the release' : `round ${next}`} did not begin`, silence);
      return;
    }
    await announceNext(context, accepted, plan, round, true);
    // What was announced has a watch of its own, but for the release.
    if (!isLast) return;
  }
  if (claimed === 'last') return;
  const looks = announce || silence >= wait ? look + 1 : look;
  await lookAgain(context, { v: 1, kind: 'watch', job, round, look: looks, number: number + 1 }, wait);
}

async function failRound(context: FleetContext, job: string, what: string, silence: number): Promise<void> {
  const hint = 'their functions died each time, or the queue lost them';
  await failJob(context, job, { reason: `${what}, for ${Math.round(silence)} s: ${hint}` });
}
