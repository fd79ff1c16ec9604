/**
 * `POST /v1/jobs/{id}/{action}`. Each may be sent again after its answer was lost: what it writes it writes once, what it
 * announces it announces again.
 */
import type { JobControl } from '../../core/contracts/control.ts';
import type { JobView, TrainView } from '../../core/contracts/job.ts';
import { Limits } from '../../core/contracts/limits.ts';
import { parse } from '../../core/contracts/parse.ts';
import { Fault } from '../../core/errors.ts';
import { type ControlState, writeControl } from '../../core/jobs/control.ts';
import { announceAgain } from '../../core/jobs/resume.ts';
import { isRedrivable } from '../../core/jobs/view.ts';
import type { ApiContext } from './context.ts';

/** @throws Fault `conflict` where the job is not in a state for it */
export type JobAction = (
  context: ApiContext,
  job: JobView,
  control: ControlState,
  body: unknown,
) => Promise<void>;

const refuse = ({ job, status }: JobView, action: string): never => {
  throw new Fault('conflict', `job ${job} is ${status}: ${action}`, { field: 'job' });
};

/** Only a training remembers what people did to it. */
function training(job: JobView, action: string): TrainView {
  if (job.kind === 'train') return job;
  const message = `job ${job.job} is of kind ${job.kind}: only training jobs can be ${action}`;
  throw new Fault('conflict', message, { field: 'job' });
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
  async pause(context, any, control) {
    const job = training(any, 'paused');
    if (job.status === 'paused') return;
    if (job.result !== null) refuse(job, 'only what has not ended can be paused');
    await write(context, job, control, { action: 'pause' });
  },

  /** On a job that runs: announces what is missing again, should all its messages be lost. */
  async resume(context, job, control) {
    if (job.result !== null)
      refuse(job, 'only what was paused can be resumed; redrive what failed or was stopped');
    if (job.status === 'paused') await write(context, job, control, { action: 'resume' });
    await announce(context, job);
  },

  /** @param body limits in place of the spec's, `{}` for none */
  async redrive(context, any, control, body) {
    const limits = parse(Limits, body);
    const job = training(any, 'redriven');
    if (job.result === null ? control.run === 1 : !isRedrivable(job.result))
      refuse(job, 'only what failed or was stopped can be redriven');
    if (job.result !== null) await write(context, job, control, { action: 'redrive', ...limits });
    await announce(context, job);
    // Their work is announced anew: what lies there would only be looked at twice.
    await context.deadLetters.exhume(job.job);
  },
} as const satisfies Record<string, JobAction>;
