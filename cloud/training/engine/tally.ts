/** Adds up what batches say of themselves. */
import { z } from 'zod';
import { isMeanMetric, MEANS } from '../../../core/metrics/means.ts';
import type { Measured } from '../../../core/metrics/combine.ts';
import type { BatchResult } from './program.ts';

/** What was added up so far: float64, which JSON keeps to the bit. */
export const TallyState = z.strictObject({
  samples: z.number(),
  count: z.number(),
  /** Sum of losses times counts. */
  loss: z.number(),
  sums: z.array(z.number()),
});
export type TallyState = z.infer<typeof TallyState>;

export interface Tally {
  add(batch: Pick<BatchResult, 'loss' | 'count' | 'sums' | 'samples'>): void;
  state(): TallyState;
  result(): Measured & { readonly samples: number };
}

/** @param metrics the batches' sums, the one to show first @param from an earlier tally of the same metrics */
export function createTally(metrics: readonly string[], from?: TallyState): Tally {
  const names = metrics.filter(isMeanMetric);
  const sums = names.map((_, i) => from?.sums[i] ?? 0);
  let { samples, count, loss } = from ?? { samples: 0, count: 0, loss: 0 };
  return {
    add(batch) {
      samples += batch.samples;
      count += batch.count;
      loss += batch.loss * batch.count;
      names.forEach((name, i) => (sums[i]! += batch.sums[name] ?? NaN));
    },
    state: () => ({ samples, count, loss, sums: [...sums] }),
    result() {
      if (count === 0) return { samples, count, loss: 0, metrics: {} };
      const values = names.map((name, i) => [name, MEANS[name].value(sums[i]! / count)] as const);
      return { samples, count, loss: loss / count, metrics: Object.fromEntries(values) };
    },
  };
}
