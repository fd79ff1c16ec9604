/** Timelines as a fleet leaves them that runs a job for the dashboard: handing on, killed, slow and late. */
import type { FanOutTimeline, Ran, TimelineShard, TrainTimeline } from '../../core/contracts/timeline.ts';
import { BATCH_JOB, RUNNING_JOB } from './dashboard-samples.ts';

const SHARDS = 4;
const ROUND_S = 1.5;

/** With `closed` rounds behind it, of 1.5 s each, and one under way. */
export function timelineAt(closed: number, changes: Partial<TrainTimeline> = {}): TrainTimeline {
  const now = Date.now();
  const start = now / 1000 - (closed + 0.6) * ROUND_S;
  const at = (seconds: number) => new Date(Math.round((start + seconds) * 1000)).toISOString();
  const ran = (from: number, seconds: number, worker: number, more: Partial<Ran> = {}): Ran => ({
    startedAt: at(from),
    seconds,
    place: `worker-${worker}`,
    ...more,
  });
  const shardOf = (round: number, shard: number): TimelineShard => {
    const from = round * ROUND_S + 0.05 + 0.02 * shard;
    const seconds = 1.05 + 0.08 * Math.sin(round * 5 + shard * 2);
    const worker = (shard + round) % 3;
    const done = (all: Ran[]): TimelineShard => ({ shard, state: 'done', ran: all, samples: 3_750 });
    if (round === closed)
      return shard < 2
        ? { ...done([ran(from, 0.5, worker)]), writtenAt: at(from + 0.55) }
        : { shard, state: 'open', ran: shard === 2 ? [ran(from, 0.3, worker)] : [] };
    if (round === 2 && shard === 1) return done([ran(from, 0.4, worker), ran(from + 0.5, 0.6, 2)]);
    if (round === 4 && shard === 3) return done([ran(from + 0.6, 0.7, worker, { copy: 1 })]);
    if (round === 5 && shard === 0) return done([ran(from + 0.4, 0.8, worker, { attempt: 2 })]);
    if (round === 6 && shard === 2) return { shard, state: 'missing', ran: [] };
    if (round === 7 && shard === 2)
      return { shard, state: 'lost', ran: [], reason: 'training diverged: the loss is NaN' };
    if (round === 8 && shard === 2)
      return { shard, state: 'late', ran: [ran(from, 1.9, 0)], writtenAt: at(from + 2) };
    return done([ran(from, seconds, worker)]);
  };
  return {
    job: RUNNING_JOB,
    kind: 'train',
    status: 'running',
    acceptedAt: at(-0.3),
    plannedAt: at(0),
    now: new Date(now).toISOString(),
    first: 0,
    shards: SHARDS,
    rounds: 20,
    begun: closed + 1,
    overlap: 1,
    page: Array.from({ length: closed + 1 }, (_, round) => ({
      round,
      announcedAt: at(round * ROUND_S),
      shards: Array.from({ length: SHARDS }, (_, shard) => shardOf(round, shard)),
      ...(round === closed ? {} : { mergeSeconds: 0.18, committedAt: at((round + 1) * ROUND_S) }),
      mergers: 1,
    })),
    ...changes,
  };
}

/** Eight parts on two functions, the first `done` of them reported. */
export function batchTimelineAt(done: number): FanOutTimeline {
  const now = Date.now();
  const at = (seconds: number) => new Date(now - 2_000 + seconds * 1000).toISOString();
  return {
    job: BATCH_JOB,
    kind: 'batch',
    status: 'running',
    acceptedAt: at(-0.2),
    plannedAt: at(0),
    now: new Date(now).toISOString(),
    first: 0,
    parts: 8,
    page: Array.from({ length: 8 }, (_, part) => {
      const from = 0.1 + 0.4 * Math.floor(part / 2);
      return part < done
        ? {
            part,
            state: 'done',
            rows: 7_500,
            ran: [{ startedAt: at(from), seconds: 0.35, place: `worker-${part % 2}` }],
            writtenAt: at(from + 0.36),
          }
        : { part, state: 'open', rows: 7_500, ran: [] };
    }),
  };
}
