/** Ends of jobs. Create-only: of two ends (a cancellation and a success, say) the first is the job's. */
import type { JobResult } from '../../core/contracts/job.ts';
import { jobResultKey } from '../../core/contracts/keys.ts';
import type { Spent } from '../../core/contracts/usage.ts';
import { reachedLimit } from '../../core/jobs/limits.ts';
import { putJson } from '../../core/storage/json.ts';
import type { FleetContext } from './context.ts';
import { acceptedJob, committedRounds, jobPlan, knownStanding, roundCommit, standing } from './documents.ts';

export async function endJob(context: FleetContext, result: JobResult): Promise<void> {
  const { run } = await standing(context, result.job);
  await putJson(context.store, jobResultKey(result.job, run), result, 'create');
}

/**
 * Ends the job where a limit of its is reached. What was committed stays, and a redrive with other limits goes on there.
 * @param spent left out: only the deadline is looked at
 * @returns true where it did
 */
export async function stopIfDue(context: FleetContext, job: string, spent?: Spent): Promise<boolean> {
  const { accepted, limits, since } = await limitsOf(context, job);
  const reached = reachedLimit(limits, {
    since,
    now: context.now().getTime(),
    ...(spent === undefined ? {} : { spent }),
  });
  if (reached === undefined) return false;
  const plan = await jobPlan(context, accepted.job);
  const rounds = plan === undefined ? 0 : await committedRounds(context, plan);
  const last = rounds === 0 ? undefined : await roundCommit(context, job, rounds - 1);
  const state = last?.state ?? plan?.initialState;
  const known = spent ?? last?.spent;
  await endJob(context, {
    v: 1,
    job,
    status: 'stopped',
    ...reached,
    rounds,
    ...(state === undefined ? {} : { state }),
    ...(known === undefined ? {} : { spent: known }),
    endedAt: context.now().toISOString(),
  });
  return true;
}

/** Seconds until the job's deadline, at least one; Infinity without one. */
export async function untilDeadline(context: FleetContext, job: string): Promise<number> {
  const { limits, since } = await limitsOf(context, job);
  if (limits.deadlineSeconds === undefined) return Infinity;
  const left = (since - context.now().getTime()) / 1000 + limits.deadlineSeconds;
  return Math.max(1, Math.ceil(left));
}

/** The spec's limits, with what the last redrive said in their place. */
async function limitsOf(context: FleetContext, job: string) {
  const accepted = await acceptedJob(context, job);
  // Whoever asks has asked just before whether the job goes on.
  const { limits, redrivenAt } = knownStanding(context, job);
  const { deadlineSeconds, budget } = { ...accepted.spec, ...limits };
  return {
    accepted,
    limits: { deadlineSeconds, budget },
    since: Date.parse(redrivenAt ?? accepted.acceptedAt),
  };
}
