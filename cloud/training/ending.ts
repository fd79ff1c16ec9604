/** Ends of trainings. */
import type { JobResult } from '../../core/contracts/job.ts';
import type { Spent } from '../../core/contracts/usage.ts';
import type { ControlState } from '../../core/jobs/control.ts';
import { inForce, reachedLimit, untilDeadline as secondsLeft } from '../../core/jobs/limits.ts';
import { endRun } from '../../core/jobs/standing.ts';
import type { FleetContext } from './context.ts';
import { acceptedJob, committedRounds, jobPlan, knownStanding, roundCommit, standing } from './documents.ts';

export async function endJob(context: FleetContext, result: JobResult): Promise<void> {
  const { run } = await standing(context, result.job);
  await endRun(context, run, result);
}

/**
 * Ends the job where a limit of its is reached. What was committed stays, and a redrive with other limits goes on there.
 * @param spent left out: only the deadline is looked at
 * @returns true where it did
 */
export async function stopIfDue(context: FleetContext, job: string, spent?: Spent): Promise<boolean> {
  const accepted = await acceptedJob(context, job);
  const reachedBy = (control: ControlState) =>
    reachedLimit(inForce(accepted, control), context.now().getTime(), spent);
  // Whoever asks has asked just before whether the job goes on.
  if (reachedBy(knownStanding(context, job)) === undefined) return false;
  // It may have been stopped and redriven since, with more.
  const control = await standing(context, job);
  const reached = reachedBy(control);
  if (reached === undefined) return false;
  const plan = await jobPlan(context, job);
  const rounds = plan === undefined ? 0 : await committedRounds(context, plan);
  const last = rounds === 0 ? undefined : await roundCommit(context, job, rounds - 1);
  const state = last?.state ?? plan?.initialState;
  const known = spent ?? last?.spent;
  await endRun(context, control.run, {
    v: 1,
    job,
    status: 'stopped',
    ...reached,
    rounds,
    ...(state === undefined ? {} : { state }),
    ...(last?.lost === undefined ? {} : { lost: last.lost }),
    ...(known === undefined ? {} : { spent: known }),
    endedAt: context.now().toISOString(),
  });
  return true;
}

/** Seconds until the job's deadline, at least one; Infinity without one. */
export async function untilDeadline(context: FleetContext, job: string): Promise<number> {
  const accepted = await acceptedJob(context, job);
  return secondsLeft(inForce(accepted, knownStanding(context, job)), context.now().getTime());
}
