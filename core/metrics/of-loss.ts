/** Which metrics go with which loss. */
import type { LossKind, LossSpec } from '../contracts/loss.ts';
import type { MetricName } from '../contracts/metric.ts';

type Table = Readonly<Record<LossKind, (rank: number) => readonly MetricName[]>>;

/** In order: the first is the one to show. @param rank of the loss's output, batch included */
const METRICS: Table = {
  // A class for each of several places in a row is a sequence: language models are judged by perplexity.
  'softmax-cross-entropy': (rank) =>
    rank > 2 ? ['perplexity', 'accuracy', 'f1', 'loss'] : ['accuracy', 'f1', 'loss'],
  'binary-cross-entropy': () => ['accuracy', 'f1', 'loss'],
  'mean-squared-error': () => ['rmse', 'mae', 'loss'],
  huber: () => ['mae', 'rmse', 'loss'],
  output: () => ['loss'],
};

export const metricsOf = ({ kind }: LossSpec, rank: number): readonly MetricName[] => METRICS[kind](rank);
