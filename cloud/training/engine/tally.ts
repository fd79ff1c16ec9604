/** Adds up what batches say of themselves. */
import { isMeanMetric, MEANS } from '../../../core/metrics/means.ts';
import type { Measured } from '../../../core/metrics/combine.ts';
import type { BatchResult } from './program.ts';

export interface Tally {
  add(batch: Pick<BatchResult, 'loss' | 'count' | 'sums' | 'samples'>): void;
  result(): Measured & { readonly samples: number };
}

/** @param metrics the batches' sums, the one to show first */
export function createTally(metrics: readonly string[]): Tally {
  const names = metrics.filter(isMeanMetric);
  const sums = names.map(() => 0);
  let samples = 0;
  let count = 0;
  let loss = 0;
  return {
    add(batch) {
      samples += batch.samples;
      count += batch.count;
      loss += batch.loss * batch.count;
      names.forEach((name, i) => (sums[i]! += batch.sums[name] ?? NaN));
    },
    result() {
      if (count === 0) return { samples, count, loss: 0, metrics: {} };
      const values = names.map((name, i) => [name, MEANS[name].value(sums[i]! / count)] as const);
      return { samples, count, loss: loss / count, metrics: Object.fromEntries(values) };
    },
  };
}
