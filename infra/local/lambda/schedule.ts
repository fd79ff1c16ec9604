/** A schedule of EventBridge: invokes a function again and again. */
import { setTimeout } from 'node:timers/promises';
import type { Invocable } from './invocation.ts';

export interface ScheduleOptions {
  readonly target: Invocable;
  /** Seconds between two invocations, and before the first. */
  readonly everySeconds: number;
  readonly log: (line: string) => void;
}

/** @returns what stops it */
export function startSchedule({ target, everySeconds, log }: ScheduleOptions): () => Promise<void> {
  const stopping = new AbortController();
  const { signal } = stopping;

  async function run(): Promise<void> {
    for (;;) {
      await setTimeout(everySeconds * 1000, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      const outcome = await target.invoke({ source: 'aws.events', 'detail-type': 'Scheduled Event' });
      if (outcome.kind === 'failed' && !signal.aborted) log(`scheduled: ${outcome.error.errorMessage}`);
    }
  }

  const running = run();
  return async () => {
    stopping.abort();
    await running;
  };
}
