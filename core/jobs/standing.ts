/**
 * Does a job still go on? By what people did to it (control.ts) and by the result of its run. Of every kind of job alike:
 * whoever works on one asks before it begins, and again before what it did is taken further.
 */
import type { FanOutResult } from '../contracts/fan-out.ts';
import type { JobResult } from '../contracts/job.ts';
import type { JobStatus } from '../contracts/job-status.ts';
import { jobResultKey } from '../contracts/keys.ts';
import type { Remembering } from '../storage/documents.ts';
import { putJson } from '../storage/json.ts';
import { type ControlState, readControl, UNTOUCHED } from './control.ts';

export interface Standing extends ControlState {
  /** Its run has a result. */
  readonly ended: boolean;
}

export const goesOn = ({ ended, paused }: Standing): boolean => !ended && !paused;

const controlKey = (job: string) => `control of ${job}`;

/** As it was when somebody last asked. */
export const knownControl = ({ documents }: Remembering, job: string): ControlState =>
  (documents?.get(controlKey(job)) as ControlState | undefined) ?? UNTOUCHED;

/** What people did to the job. Entries already read are not read again: asking is one GET of what is not there. */
export async function askControl(memory: Remembering, job: string): Promise<ControlState> {
  const state = await readControl(memory.store, job, knownControl(memory, job));
  memory.documents?.set(controlKey(job), state);
  return state;
}

/** Not cached: the answer changes, and asking is two requests. */
export async function askStanding(memory: Remembering, job: string): Promise<Standing> {
  const hasResult = async (run: number) => (await memory.store.head(jobResultKey(job, run))) !== undefined;
  const known = knownControl(memory, job);
  const [ended, control] = await Promise.all([hasResult(known.run), askControl(memory, job)]);
  return { ...control, ended: control.run === known.run ? ended : await hasResult(control.run) };
}

/** Ends a run. Create-only: of two ends (a cancellation and a success, say) the first is the run's. */
export async function endRun(
  { store }: Pick<Remembering, 'store'>,
  run: number,
  result: JobResult | FanOutResult,
): Promise<void> {
  await putJson(store, jobResultKey(result.job, run), result, 'create');
}

/** @param seen of the job, as far as it is there */
export function statusOf({
  result,
  plan,
  control,
}: {
  readonly result?: { readonly status: JobStatus } | undefined;
  readonly plan?: unknown;
  readonly control: ControlState;
}): JobStatus {
  if (result !== undefined) return result.status;
  if (control.paused) return 'paused';
  return plan === undefined ? 'queued' : 'running';
}

/** What a redrive can set going again. */
export const isRedrivable = ({ status }: { readonly status: JobStatus }): boolean =>
  status === 'failed' || status === 'stopped';
