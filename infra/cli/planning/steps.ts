/**
 * What a step of a job takes on this machine, and what it takes beside others: in threads as the local fleet's functions
 * are, several times by turns, of which the median counts, so that what else the machine does for a moment does not.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { LocalStepsRequest } from '../../../cloud/training/engine/local-steps.ts';
import type { ParameterSlot } from '../../../core/contracts/job.ts';
import { median } from '../../../core/median.ts';

/** The training graph, and everything that its steps need. */
export interface StepWork {
  readonly graph: Uint8Array<ArrayBuffer>;
  readonly parameters: readonly ParameterSlot[];
  readonly request: Omit<LocalStepsRequest, 'program' | 'from' | 'to' | 'signal' | 'pause'>;
}

/** Steps are taken this long at a time. */
const LONG_ENOUGH_S = 0.2;
/** At a time. */
export const MOST_STEPS = 256;
const TURNS = 7;

/**
 * @param besides how many threads take steps at once; each number of them is timed
 * @returns seconds of one step, by those numbers
 */
export async function timeSteps(
  work: StepWork,
  besides: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  const threads = Array.from({ length: Math.max(...besides) }, () => start(work));
  try {
    // The first ones also allocate and compile.
    await Promise.all(threads.map((thread) => take(thread, 2)));
    let steps = 4;
    while (steps < MOST_STEPS && (await take(threads[0]!, steps)) < LONG_ENOUGH_S) steps *= 2;
    const times = new Map<number, number[]>(besides.map((beside) => [beside, []]));
    for (let turn = 0; turn < TURNS; turn++)
      for (const [beside, seconds] of times) {
        const each = await Promise.all(threads.slice(0, beside).map((thread) => take(thread, steps)));
        seconds.push(each.reduce((sum, one) => sum + one, 0) / beside / steps);
      }
    return new Map([...times].map(([beside, seconds]) => [beside, median(seconds)!]));
  } finally {
    await Promise.all(threads.map(stop));
  }
}

const start = (work: StepWork) =>
  new Worker(new URL('step-thread.ts', import.meta.url), {
    workerData: work,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });

async function take(thread: Worker, steps: number): Promise<number> {
  const answer = once(thread, 'message');
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
  thread.postMessage(steps);
  return Number((await answer)[0]);
}

/** It leaves by itself: torn down while the runtime computes it would take the process with it. */
async function stop(thread: Worker): Promise<void> {
  const gone = once(thread, 'exit');
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
  thread.postMessage(0);
  await gone;
}
