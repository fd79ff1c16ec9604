/** Faults to put before a function: between an event source and it, or between its URL and it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { LambdaFunction } from '../infra/local/lambda/function.ts';
import type { Invocable, InvokeOptions, InvokeOutcome } from '../infra/local/lambda/invocation.ts';

/**
 * Every batch is delivered twice, at the same time where two environments are free: what SQS may do at any moment.
 * Nothing is taken as done unless both deliveries say so.
 */
export function duplicating(target: Invocable): Invocable {
  async function deliver(event: unknown, options: InvokeOptions | undefined): Promise<InvokeOutcome> {
    for (;;) {
      const outcome = await target.invoke(event, options);
      if (outcome.kind !== 'throttled') return outcome;
      await target.whenFree();
    }
  }
  return {
    maxConcurrency: target.maxConcurrency,
    free: () => target.free(),
    whenFree: () => target.whenFree(),
    async invoke(event, options) {
      const [first, second] = await Promise.all([deliver(event, options), deliver(event, options)]);
      if (first.kind !== 'result') return first;
      if (second.kind !== 'result') return second;
      return { kind: 'result', payload: JSON.stringify(both(first.payload, second.payload)) };
    },
  };
}

/** @returns an answer that is as bad as the worse of the two */
function both(first: string, second: string): unknown {
  const answers = [first, second].map(
    (payload) => JSON.parse(payload) as { batchItemFailures?: unknown } | null,
  );
  const lists = answers.map((answer) => answer?.batchItemFailures ?? []);
  const odd = lists.findIndex((list) => !Array.isArray(list));
  return odd >= 0 ? answers[odd] : { batchItemFailures: lists.flat() };
}

/** What ails a function; may be changed while it runs. */
export interface Trouble {
  /** Milliseconds that every invocation takes longer. */
  delayMs: number;
  /** Every invocation answers 500 at once, as one does whose dependency is gone. */
  fails: boolean;
}

export const troubled = (target: LambdaFunction, trouble: Trouble): LambdaFunction => ({
  ...target,
  async invoke(event, options) {
    if (trouble.fails) {
      const headers = { 'content-type': 'application/json' };
      const answer = { statusCode: 500, headers, body: JSON.stringify({ error: 'out of order' }) };
      return { kind: 'result', payload: JSON.stringify(answer) };
    }
    if (trouble.delayMs > 0) await delay(trouble.delayMs);
    return target.invoke(event, options);
  },
});
