/** Server-sent events of one job (WHATWG HTML, "Server-sent events"): `progress` with a JobView, at the end `done`. */
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import type { JobView } from '../../core/contracts/job.ts';
import { progressOf } from '../../core/jobs/look.ts';
import type { ApiContext } from './context.ts';

/** Milliseconds between two looks at the job. */
const LOOK_EVERY_MS = 250;
/**
 * A stream holds a function: after this long it is closed and the browser's EventSource connects again by itself.
 * Five seconds below the API function's timeout.
 */
export const MAX_STREAM_MS = 55_000;
/** Milliseconds a client waits before it connects again. */
const RETRY_MS = 500;

export function jobEvents(
  c: Context,
  look: () => Promise<JobView>,
  { wait, now }: Pick<ApiContext, 'wait' | 'now'>,
): Response {
  const until = now().getTime() + MAX_STREAM_MS;
  c.header('cache-control', 'no-store');
  return streamSSE(c, async (stream) => {
    let last = '';
    // By the clock: on a busy machine looking takes longer than waiting.
    while (now().getTime() < until && !stream.aborted) {
      const job = await look();
      // What changed, not the clock: seconds pass in every look.
      const state = progressOf(job);
      if (state !== last) {
        last = state;
        await stream.writeSSE({ event: 'progress', data: JSON.stringify(job), retry: RETRY_MS });
      }
      if (job.result !== null) {
        await stream.writeSSE({ event: 'done', data: JSON.stringify(job.result) });
        return;
      }
      await wait(LOOK_EVERY_MS);
    }
  });
}
