/** The flat parameter vector cut for several mergers, each of which owns a slice of everything that is as long. */
import type { ParameterSlot } from '../contracts/job.ts';
import { part, type Range } from '../jobs/schedule.ts';

export interface Slice extends Range {
  /** Elements of the slice that gradients change. Those after them are assigned: they are averaged, and stay exact. */
  readonly trained: number;
}

/** Elements that gradients change: assigned ones are the last. */
export function trainedLength(layout: readonly ParameterSlot[]): number {
  return layout.reduce((sum, { length, assigned }) => sum + (assigned === true ? 0 : length), 0);
}

/** @param mergers slices there are to be; fewer where there are fewer elements. The last takes what is assigned. */
export function slicesOf(layout: readonly ParameterSlot[], mergers: number): Slice[] {
  const trained = trainedLength(layout);
  const total = layout.reduce((sum, { length }) => sum + length, 0);
  const count = Math.max(1, Math.min(mergers, trained));
  return Array.from({ length: count }, (_, index) => {
    const { start, end } = part(trained, count, index);
    return { start, end: index === count - 1 ? total : end, trained: end - start };
  });
}
