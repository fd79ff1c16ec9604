/** Ends of jobs that are split and merged, other than that all of it is done. */
import { type FanOutPlan, FanOutResult } from '../contracts/fan-out.ts';
import { parse } from '../contracts/parse.ts';
import type { Prices } from '../costs/prices.ts';
import { spentIn } from '../costs/spent.ts';
import type { ControlState } from '../jobs/control.ts';
import { type InForce, inForce, reachedLimit } from '../jobs/limits.ts';
import { askStanding, endRun, goesOn } from '../jobs/standing.ts';
import type { Remembering } from '../storage/documents.ts';
import { type Counted, countParts, type Looking } from './count.ts';

export interface EndingContext extends Remembering {
  readonly now: () => Date;
  /** Of the bucket that is worked with; default: S3's. */
  readonly prices?: Prices | undefined;
}

export const limitsOf = ({ spec, acceptedAt, plannedAt }: FanOutPlan, control: ControlState): InForce =>
  inForce({ spec, acceptedAt: acceptedAt ?? plannedAt }, control);

/**
 * Ends the job where a limit of its is reached. The parts that are done stay, and a redrive with other limits goes on with
 * those that are missing. Where all are done it is not stopped: nothing is left to save.
 * @param control of the job, asked for just before
 * @param looking how closely it is looked at what was spent, where there is a budget; or what was just seen
 * @returns true where nothing more of the job is to be done now
 */
export async function stopIfDue(
  context: EndingContext,
  plan: FanOutPlan,
  control: ControlState,
  looking: Looking | Counted,
): Promise<boolean> {
  const { job } = plan;
  const reachedBy = (of: ControlState, counted: Counted | undefined) =>
    reachedLimit(limitsOf(plan, of), context.now().getTime(), counted && spentIn(context, [counted.usage]));
  const { budget } = limitsOf(plan, control).limits;
  const look = async () => (typeof looking === 'string' ? countParts(context, plan, looking) : looking);
  const seen = budget === undefined ? undefined : await look();
  if (reachedBy(control, seen) === undefined) return false;
  // Meanwhile it may have been paused, or stopped and redriven with more.
  const standing = await askStanding(context, job);
  if (!goesOn(standing)) return true;
  const counted = await countParts(context, plan, 'all');
  const reached = reachedBy(standing, counted);
  const parts = counted.done.size;
  if (reached === undefined || parts === plan.parts.length) return false;
  const result = {
    v: 1,
    job,
    status: 'stopped',
    ...reached,
    parts,
    spent: spentIn(context, [counted.usage]),
    endedAt: context.now().toISOString(),
  };
  await endRun(context, standing.run, parse(FanOutResult, result, 'internal'));
  return true;
}

/** @param missing parts of which nothing came */
export async function giveUp(
  context: EndingContext,
  { job }: FanOutPlan,
  { run }: ControlState,
  missing: readonly number[],
): Promise<void> {
  const what = missing.length === 0 ? 'the whole was not made' : `parts ${missing.join(', ')} gave no report`;
  const reason = `${what} though announced again and again: their functions died each time, or the queue lost them`;
  const result = { v: 1, job, status: 'failed', reason, endedAt: context.now().toISOString() };
  await endRun(context, run, parse(FanOutResult, result, 'internal'));
}
