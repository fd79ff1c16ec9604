/** What `map` can apply. */
import type { MapFunction } from '../../../core/contracts/fan-out.ts';
import { errorBody, Fault } from '../../../core/errors.ts';
import type { BatchContext } from '../context.ts';

/** Of one item: what the function made of it, or why it cannot. */
export type Answer = { readonly result: unknown } | { readonly error: string; readonly field?: string };

/**
 * @param model blob of the model that the function names
 * @returns one answer per item, in order. What trying again could mend is thrown, and the part is done again.
 */
export type Apply<F extends MapFunction = MapFunction> = (
  context: BatchContext,
  applied: F,
  model: string,
  items: readonly unknown[],
) => Promise<readonly Answer[]>;

/** @throws what was thrown, unless it is the item that is wrong */
export function refused(thrown: unknown): Answer {
  if (!(thrown instanceof Fault) || thrown.retryable) throw thrown;
  const { error, field } = errorBody(thrown).body;
  return { error, ...(field === undefined ? {} : { field }) };
}
