/** The metrics of a loss over rows that come in batches. */
import type { LossSpec } from '../contracts/loss.ts';
import type { MetricName } from '../contracts/metric.ts';
import type { Metrics } from '../contracts/primitives.ts';
import { binaryF1, macroF1 } from './f1.ts';
import { meanMetric } from './means.ts';
import type { Metric } from './metric.ts';
import { metricsOf } from './of-loss.ts';
import { classScores } from './scores/classification.ts';
import { binaryScores, givenScores, huberScores, squaredScores } from './scores/elementwise.ts';
import type { Scored, Scorer } from './scores/scorer.ts';

/** What the output of a classifier is: `logits` is what no final activation was found behind. */
export type OutputForm = 'logits' | 'probabilities' | 'log-probabilities';

export interface Evaluation {
  update(batch: Scored): void;
  /** In the order of {@link metricsOf}; those that have no finite value are left out. */
  metrics(): Metrics;
  /** What they are made of, by metric: an evaluation of other rows can {@link Evaluation.add} it. */
  tallies(): Record<string, number[]>;
  add(tallies: Readonly<Record<string, readonly number[]>>): void;
}

function scorerOf(loss: LossSpec, form: OutputForm): Scorer {
  switch (loss.kind) {
    case 'softmax-cross-entropy':
      return classScores(form, loss.ignoreIndex);
    case 'binary-cross-entropy':
      return binaryScores(form === 'probabilities' ? form : 'logits');
    case 'mean-squared-error':
      return squaredScores;
    case 'huber':
      return huberScores(loss.delta);
    case 'output':
      return givenScores;
  }
}

function metricOf(name: MetricName, loss: LossSpec): Metric {
  if (name !== 'f1') return meanMetric(name);
  return loss.kind === 'binary-cross-entropy' ? binaryF1() : macroF1();
}

/** @param rank of the loss's output, batch included */
export function createEvaluation(loss: LossSpec, form: OutputForm, rank: number): Evaluation {
  const scores = scorerOf(loss, form);
  const metrics = metricsOf(loss, rank).map((name) => [name, metricOf(name, loss)] as const);
  return {
    update(batch) {
      for (const score of scores(batch)) for (const [, metric] of metrics) metric.update(score);
    },
    metrics() {
      const values = metrics.map(([name, metric]) => [name, metric.value()] as const);
      return Object.fromEntries(values.filter(([, value]) => Number.isFinite(value)));
    },
    tallies: () => Object.fromEntries(metrics.map(([name, metric]) => [name, metric.tally()])),
    add(tallies) {
      for (const [name, metric] of metrics) metric.add(tallies[name] ?? []);
    },
  };
}
