/** A job's progress in one line. */
import type { JobView, TrainView } from '../../core/contracts/job.ts';
import { requestsOf } from '../../core/costs/usage.ts';
import { count, duration, headline, megabytes } from './output.ts';

const BAR_WIDTH = 24;

export function progressBar(share: number): string {
  const full = Math.round(share * BAR_WIDTH);
  return '█'.repeat(full) + '░'.repeat(BAR_WIDTH - full);
}

export function progressLine(job: TrainView): string {
  if (job.status === 'queued') return 'queued';
  const last = job.history.at(-1);
  const parts = [
    `${progressBar(job.rounds === 0 ? 0 : job.round / job.rounds)} round ${job.round}/${job.rounds}`,
  ];
  if (last !== undefined) {
    parts.push(`epoch ${last.epoch.toFixed(1)}/${job.epochs}`);
    parts.push(`${count(job.samplesPerSecond)} samples/s`);
    parts.push(`loss ${last.loss.toFixed(4)}`);
    const figure = headline(last.metrics);
    if (figure !== undefined) parts.push(figure);
  }
  if (job.status === 'paused') parts.push('paused');
  else if (job.result === null && job.round < job.rounds) {
    parts.push(`${job.shards - job.shardsDone} shards in flight`);
    if (job.secondsLeft !== null) parts.push(`${duration(job.secondsLeft)} left`);
  } else if (job.result === null) parts.push('evaluating');
  return parts.join(' · ');
}

/** What the job's tasks exchanged through the store for each epoch. @returns undefined where nothing was counted yet */
export function trafficLine({ bytes, history }: TrainView): string | undefined {
  const epochs = history.at(-1)?.epoch;
  if (bytes === null || epochs === undefined) return undefined;
  const { up, down, mergeRead, mergeWritten } = bytes;
  const perEpoch = (sum: number) => megabytes(sum / epochs);
  return (
    `moved per epoch: ${perEpoch(up)} from shards, ${perEpoch(down)} to them; ` +
    `the merges read ${perEpoch(mergeRead)} and wrote ${perEpoch(mergeWritten)}`
  );
}

/** What the job went without: a line for each shard. */
export const lostLines = ({ lost = [] }: Pick<TrainView, 'lost'>): string[] =>
  lost.map(
    ({ shard, rounds, reason }) =>
      `shard ${shard} was left out of ${rounds} ${rounds === 1 ? 'round' : 'rounds'}: ${reason}`,
  );

/** What the job took, and what its planner said of it, where each is known. */
export function spentLines(job: JobView): string[] {
  const line = (what: string, took: string, functionSeconds: number, requests: number, dollars: number) =>
    `${what}: ${took}${duration(functionSeconds)} of functions, ${count(requests)} requests, ${dollars.toPrecision(3)} dollars`;
  const { spent } = job;
  const predicted = job.kind === 'train' ? job.predicted : undefined;
  const took = (seconds: number) => (predicted === undefined ? '' : `${duration(seconds)}, `);
  return [
    ...(spent === undefined
      ? []
      : [line('spent', took(job.seconds), spent.functionSeconds, requestsOf(spent), spent.dollars)]),
    ...(predicted === undefined
      ? []
      : [
          line(
            'predicted',
            took(predicted.seconds),
            predicted.functionSeconds,
            predicted.requests,
            predicted.dollars,
          ),
        ]),
  ];
}
