/** Faults to put between an event source and its function. */
import type { Invocable, InvokeOptions, InvokeOutcome } from './invocation.ts';

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
