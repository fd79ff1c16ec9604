/**
 * `POST /v1/jobs/{id}/{action}`. Each may be sent again after its answer was lost: what it writes it writes once, what it
 * announces it announces again.
 */
import type { JobControl } from '../../core/contracts/control.ts';
import type { JobView } from '../../core/contracts/job.ts';
import { Limits } from '../../core/contracts/limits.ts';
import { parse } from '../../core/contracts/parse.ts';
import { Fault } from '../../core/errors.ts';
import { type ControlState, writeControl } from '../../core/jobs/control.ts';
import { differingLimit, figure, overspent } from '../../core/jobs/limits.ts';
import { announceAgain } from '../../core/jobs/resume.ts';
import { isRedrivable } from '../../core/jobs/standing.ts';
import type { ApiContext } from './context.ts';

/** What the view of a job does not tell. */
export interface Acted {
  readonly control: ControlState;
  /** In force. */
  readonly limits: Limits;
}

/** @throws Fault `conflict` where the job is not in a state for it */
export type JobAction = (context: ApiContext, job: JobView, acted: Acted, body: unknown) => Promise<void>;

const refuse = ({ job, status }: JobView, action: string): never => {
  throw new Fault('conflict', `job ${job} is ${status}: ${action}`, { field: 'job' });
};

/** @throws Fault `conflict`: what runs goes on with the limits it has */
function refuseOthers({ job, status }: JobView, given: Limits, { limits }: Acted): void {
  const field = differingLimit(given, limits);
  if (field === undefined) return;
  const [group, name] = field.split('.');
  const value = (of: Limits) => (group === 'budget' ? of.budget?.[name as 'requests'] : of.deadlineSeconds);
  const message = `${field}: job ${job} is ${status} with ${value(limits) ?? 'none'}, not ${value(given) ?? 'none'}; only a job that failed or was stopped is given other limits`;
  throw new Fault('conflict', message, { field });
}

/** @throws Fault `unprocessable`: the job would be stopped again at once */
function refuseSpent({ spent }: JobView, limits: Limits): void {
  const over = spent && overspent(limits, spent);
  if (over === undefined) return;
  const field = `budget.${over.limit}`;
  throw new Fault('unprocessable', `${field}: ${figure(over.used)} are spent already; give more`, { field });
}

async function write(
  { store, now }: ApiContext,
  { job }: JobView,
  after: ControlState,
  entry: { readonly action: JobControl['action'] } & Limits,
): Promise<void> {
  await writeControl(store, { v: 1, job, at: now().toISOString(), ...entry }, after);
}

const announce = ({ store, queue }: ApiContext, { job }: JobView) => announceAgain(store, queue, job);

export const JOB_ACTIONS = {
  async pause(context, job, { control }) {
    if (job.status === 'paused') return;
    if (job.result !== null) refuse(job, 'only what has not ended can be paused');
    await write(context, job, control, { action: 'pause' });
  },

  /** On a job that runs: announces what is missing again, should all its messages be lost. */
  async resume(context, job, { control }) {
    if (job.result !== null)
      refuse(
        job,
        isRedrivable(job.result)
          ? 'only what was paused can be resumed; redrive what failed or was stopped'
          : 'only what was paused can be resumed',
      );
    if (job.status === 'paused') await write(context, job, control, { action: 'resume' });
    await announce(context, job);
  },

  /** @param body limits in place of those in force, `{}` for none */
  async redrive(context, job, acted, body) {
    const given = parse(Limits, body);
    const { control, limits } = acted;
    if (job.result === null ? control.run === 1 : !isRedrivable(job.result))
      refuse(job, 'only what failed or was stopped can be redriven');
    // It was redriven before, perhaps by this very request, whose answer was lost.
    if (job.result === null) refuseOthers(job, given, acted);
    else {
      refuseSpent(job, { ...limits, ...given });
      await write(context, job, control, { action: 'redrive', ...given });
    }
    await announce(context, job);
    // Their work is announced anew: what lies there would only be looked at twice.
    await context.deadLetters.exhume(job.job);
  },
} as const satisfies Record<string, JobAction>;
