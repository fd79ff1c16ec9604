/** The course of a training: its loss, and the metric that it is judged by. */
import { byId } from './dom.js';
import { capital, figure, headline, percent, significant } from './format.js';
import { createLineChart } from './line-chart.js';
import { known, on } from './state.js';
/** @import { Axis, ChartData, TrainView } from './types.ts' */

/** @type {Readonly<Record<string, string>>} */
const METRIC_UNITS = {
  accuracy: 'share that is right',
  perplexity: 'exp of the mean cross-entropy',
  mae: 'mean absolute error',
  rmse: 'root of the mean squared error',
};

/** @param {number} n */
const fixed = (n) => n.toFixed(3);

/** @param {TrainView} job @returns {Axis} */
const epochs = ({ epochs, history }) => ({
  name: 'epoch',
  range: [0, Math.max(epochs, history.at(-1)?.epoch ?? 0)],
  format: significant,
  exact: (epoch) => `epoch ${epoch.toFixed(2)}`,
});

/** @param {TrainView} job */
const emptyOf = ({ result }) => (result === null ? 'waiting for the first round' : 'no round was committed');

/** @param {TrainView} job @returns {ChartData} */
function lossOf(job) {
  const { history } = job;
  const [first, last] = [history[0], history.at(-1)];
  const top = Math.max(0.1, ...history.map(({ loss }) => loss)) * 1.06;
  const empty = emptyOf(job);
  return {
    title: 'Training loss',
    x: epochs(job),
    y: { name: 'mean over a round', range: [0, top], format: significant, exact: fixed },
    series: [{ name: 'loss', tone: 'train', points: history.map(({ epoch, loss }) => [epoch, loss]) }],
    latest: last && `now ${fixed(last.loss)}`,
    empty,
    summary:
      first && last
        ? `From ${fixed(first.loss)} to ${fixed(last.loss)} after ${significant(last.epoch)} epochs.`
        : empty,
  };
}

/**
 * Shares are read against 1, from a little under the least; everything else against 0.
 * @param {string} metric
 * @param {readonly number[]} values
 * @returns {{ range: [number, number], format: (value: number) => string }}
 */
function scaleOf(metric, values) {
  if (metric !== 'accuracy')
    return { range: [0, Math.max(1e-9, ...values.filter(Number.isFinite)) * 1.06], format: significant };
  const least = Math.min(1, ...values);
  const floor = values.length === 0 ? 0 : Math.max(0, least - Math.max(0.005, (1 - least) * 0.15));
  return { range: [floor, 1], format: (n) => percent(n, 1 - floor < 0.04 ? 1 : 0) };
}

/** @param {TrainView} job @returns {ChartData} */
function metricOf(job) {
  const { history, result } = job;
  const last = history.at(-1);
  const metric = headline(last?.metrics)?.name ?? '';
  const values = history.flatMap(({ metrics }) => metrics[metric] ?? []);
  const test = result !== null && 'metrics' in result ? result.metrics?.[metric] : undefined;
  const all = test === undefined ? values : [...values, test];
  /** @param {number} value */
  const exact = (value) => figure(metric, value);
  const newest = last?.metrics[metric];
  const now = newest === undefined ? undefined : `training ${exact(newest)}`;
  const tested = test === undefined ? undefined : `test ${exact(test)}`;
  return {
    title: capital(metric) || 'Metric',
    x: epochs(job),
    y: { name: METRIC_UNITS[metric] ?? '', ...scaleOf(metric, all), exact },
    series: [
      {
        name: 'training',
        tone: 'train',
        points: history.map(({ epoch, metrics }) => [epoch, metrics[metric] ?? null]),
      },
    ],
    rule:
      test === undefined || tested === undefined
        ? undefined
        : { y: test, name: tested, isBelow: test > 0.5 * Math.max(...all) },
    latest: now && [now, tested].filter(Boolean).join(', '),
    empty: emptyOf(job),
    summary: now
      ? `${now} after ${significant(last?.epoch ?? 0)} epochs${tested ? `; ${tested}` : ''}.`
      : emptyOf(job),
  };
}

export function startJobCharts() {
  const [loss, metric] = [byId('loss-chart'), byId('metric-chart')];
  const drawLoss = createLineChart(loss);
  const drawMetric = createLineChart(metric);
  on(['job'], () => {
    const { job } = known;
    // Only a training has a course to draw, and not every one has a metric.
    loss.hidden = job?.kind !== 'train';
    metric.hidden =
      job?.kind !== 'train' || (job.history.length > 0 && !headline(job.history.at(-1)?.metrics));
    if (job?.kind !== 'train') return;
    drawLoss(lossOf(job));
    drawMetric(metricOf(job));
  });
}
