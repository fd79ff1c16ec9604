/** The end of a job that failed: why; of a training also what it took until then, and what it went without. */
import type { JobResult } from '../../core/contracts/job.ts';
import { spentIn } from '../../core/costs/spent.ts';
import { meterOf } from '../../core/jobs/meter.ts';
import type { FleetContext } from './context.ts';
import { acceptedFanOut, acceptedJob, committedRounds, jobPlan, roundCommit } from './documents.ts';
import { endJob } from './ending.ts';
import { usageOf } from './metering.ts';
import { roundProgress } from './round.ts';

type Failed = Extract<JobResult, { status: 'failed' }>;

/** @param context of the task that met it: what that took is counted too */
export async function failJob(
  context: FleetContext,
  job: string,
  why: Pick<Failed, 'reason' | 'field' | 'metrics'>,
): Promise<void> {
  // What it came to is worth telling; that it failed has to be told, whatever of it cannot be read.
  const course = await courseOf(context, job).catch(() => ({}));
  const endedAt = context.now().toISOString();
  await endJob(context, { v: 1, job, status: 'failed', ...why, ...course, endedAt });
}

/** By what has left a report: commits, and the updates of rounds that are open. */
async function courseOf(context: FleetContext, job: string): Promise<Pick<Failed, 'spent' | 'lost'>> {
  // What parts took their reports tell whoever asks.
  if ((await acceptedFanOut(context, job)) !== undefined) return {};
  const [accepted, plan] = await Promise.all([acceptedJob(context, job), jobPlan(context, job)]);
  if (plan === undefined) return { spent: spentIn(context, [usageOf(context)]) };
  const closed = await committedRounds(context, plan);
  const last = closed === 0 ? undefined : await roundCommit(context, job, closed - 1);
  const open = Math.min(1 + (plan.staleness ?? 0), plan.rounds - closed);
  const progress = await Promise.all(
    Array.from({ length: open }, (_, i) => roundProgress(context, accepted, plan, closed + i)),
  );
  const updates = progress.flatMap(({ done }) => done.map((update) => meterOf(update)?.usage));
  return {
    spent: spentIn(context, [last?.spent ?? plan.usage, ...updates, usageOf(context)]),
    ...(last?.lost === undefined ? {} : { lost: last.lost }),
  };
}
