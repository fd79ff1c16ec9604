/** Metrics that are the weighted mean of something about each element, or a function of that mean. */
import type { MetricName } from '../contracts/metric.ts';
import type { Metric, Score } from './metric.ts';

export type MeanMetric = Exclude<MetricName, 'f1'>;

interface Mean {
  /** What the mean is taken of. */
  readonly of: (score: Score) => number;
  /** The metric, from the mean. */
  readonly value: (mean: number) => number;
  /** The mean, from the metric: values over disjoint parts are averaged as means. */
  readonly mean: (value: number) => number;
}

const itself = (x: number) => x;
const error = ({ predicted, actual }: Score) => predicted - actual;

export const MEANS: Readonly<Record<MeanMetric, Mean>> = {
  loss: { of: ({ loss }) => loss, value: itself, mean: itself },
  accuracy: {
    of: ({ predicted, actual }) => (predicted === actual ? 1 : 0),
    value: itself,
    mean: itself,
  },
  mae: { of: (score) => Math.abs(error(score)), value: itself, mean: itself },
  rmse: { of: (score) => error(score) ** 2, value: Math.sqrt, mean: (value) => value ** 2 },
  /** Of the mean cross-entropy in nats. Bounded, since JSON has no infinity. */
  perplexity: {
    of: ({ loss }) => loss,
    value: (mean) => Math.min(Math.exp(mean), Number.MAX_VALUE),
    mean: Math.log,
  },
};

export const isMeanMetric = (name: string): name is MeanMetric => Object.hasOwn(MEANS, name);

export function meanMetric(name: MeanMetric): Metric {
  const { of, value } = MEANS[name];
  let sum = 0;
  let weights = 0;
  return {
    update(score) {
      sum += score.weight * of(score);
      weights += score.weight;
    },
    value: () => value(sum / weights),
    tally: () => [sum, weights],
    add([otherSum = 0, otherWeights = 0]) {
      sum += otherSum;
      weights += otherWeights;
    },
  };
}
