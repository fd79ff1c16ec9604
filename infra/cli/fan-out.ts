/** Jobs that are split and merged, in words: batch inference, evaluation, map. */
import type { FanOutResult, FanOutView } from '../../core/contracts/fan-out.ts';
import { count, duration, metricValue } from './output.ts';
import { progressBar } from './progress.ts';

const UNITS = { batch: 'rows', evaluate: 'rows', map: 'items' } as const;

export function fanOutLine(job: FanOutView): string {
  if (job.status === 'queued') return 'queued';
  const unit = UNITS[job.kind];
  const parts = [
    `${progressBar(job.rows === 0 ? 0 : job.rowsDone / job.rows)} ${count(job.rowsDone)}/${count(job.rows)} ${unit}`,
    `part ${job.partsDone}/${job.parts}`,
    `${count(job.rowsPerSecond)} ${unit}/s`,
  ];
  if (job.status === 'paused') parts.push('paused');
  else if (job.result === null && job.secondsLeft !== null) parts.push(`${duration(job.secondsLeft)} left`);
  return parts.join(' · ');
}

export function fanOutOutcome(kind: FanOutView['kind'], result: FanOutResult): string {
  switch (result.status) {
    case 'succeeded': {
      const { rows, output, metrics, failed = 0 } = result;
      const figures = Object.entries(metrics ?? {}).map(
        ([name, value]) => `${name} ${metricValue(name, value)}`,
      );
      return [
        `${count(rows)} ${UNITS[kind]}`,
        ...figures,
        ...(failed > 0 ? [`${count(failed)} refused`] : []),
        ...(output === undefined
          ? []
          : [`${output.shards} files, ${count(output.bytes)} bytes`, output.manifest]),
      ].join(', ');
    }
    case 'failed':
      return `failed: ${result.reason}`;
    case 'cancelled':
      return 'cancelled';
    case 'stopped':
      return `stopped after ${result.parts} parts: ${result.reason}`;
  }
}
