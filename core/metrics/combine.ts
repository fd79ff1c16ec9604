/** What several parts of the data were measured to be, as one. */
import type { Metrics } from '../contracts/primitives.ts';
import { isMeanMetric, MEANS } from './means.ts';

export interface Measured {
  /** Elements counted, or the sum of their weights. */
  readonly count: number;
  /** Mean over those, 0 where there are none. */
  readonly loss: number;
  /** None where nothing was counted. */
  readonly metrics: Metrics;
}

/** Means weighted by count; a perplexity or a root mean square is averaged as the mean it is made of. */
export function combine(parts: readonly Measured[]): Measured {
  const counted = parts.filter(({ count }) => count > 0);
  const count = counted.reduce((sum, part) => sum + part.count, 0);
  const mean = (of: (part: Measured) => number) =>
    counted.reduce((sum, part) => sum + of(part) * part.count, 0) / count;
  const names = Object.keys(counted[0]?.metrics ?? {}).filter(isMeanMetric);
  return {
    count,
    loss: count === 0 ? 0 : mean(({ loss }) => loss),
    metrics: Object.fromEntries(
      names.map((name) => {
        const value = mean(({ metrics }) => MEANS[name].mean(metrics[name] ?? NaN));
        return [name, MEANS[name].value(value)];
      }),
    ),
  };
}
