/** Figures of merit, and the gate a release has to pass. */
import { z } from 'zod';

/** `f1` is macro-averaged over classes, or that of the class 1 where there are two. */
export const MetricName = z.enum(['accuracy', 'f1', 'perplexity', 'rmse', 'mae', 'loss']);
export type MetricName = z.infer<typeof MetricName>;

/** Released only if this metric on the test split is at least, or at most, so much. */
export const Gate = z.union(
  [
    z.strictObject({ metric: MetricName, atLeast: z.number() }),
    z.strictObject({ metric: MetricName, atMost: z.number() }),
  ],
  {
    error: `must be a metric (${MetricName.options.join(', ')}) and one of atLeast and atMost`,
  },
);
export type Gate = z.infer<typeof Gate>;
