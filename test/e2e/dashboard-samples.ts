/** Jobs, releases and traffic as a small MNIST deployment has them after its first hour. */
import type { FanOutView } from '../../core/contracts/fan-out.ts';
import type { TrainView } from '../../core/contracts/job.ts';
import type { Metrics } from '../../core/contracts/primitives.ts';
import type { Release } from '../../core/contracts/release.ts';
import type { RoutingView, TargetView } from '../../core/contracts/routing.ts';
import { emptyWorld, type World } from './dashboard-world.ts';

const EPOCHS = 5;
const ROUNDS = 20;
const ROWS = 60_000;
const SPEED = 41_800;

export const RUNNING_JOB = 'job_01k2running0';
export const ENDED_JOB = 'job_01k2ended000';
export const FAILED_JOB = 'job_01k2failed00';

const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();

/** Of four shards in a round: a 784-128-10 perceptron with Adam's two slots. */
const UPDATE_BYTES = 4 * 3 * 101_770 * 4;

/** Loss and accuracy fall off and saturate as a small MLP's do, with the wobble of one round's rows. */
const history = (rounds: number): TrainView['history'] =>
  Array.from({ length: rounds }, (_, round) => {
    const epoch = ((round + 1) * EPOCHS) / ROUNDS;
    const wobble = 0.008 * Math.sin(round * 2.1);
    return {
      round,
      epoch,
      loss: 0.045 + 0.62 * Math.exp(-1.1 * epoch) + wobble,
      metrics: { accuracy: Math.min(0.999, 0.988 - 0.17 * Math.exp(-1.2 * epoch) - wobble / 4) },
      samplesPerSecond: SPEED + 900 * Math.sin(round),
    };
  });

/** A job with `round` rounds committed; every figure follows from that. */
export function jobAt(round: number, changes: Partial<TrainView> = {}): TrainView {
  const samples = (round * ROWS * EPOCHS) / ROUNDS;
  return {
    job: RUNNING_JOB,
    kind: 'train',
    model: 'mnist',
    dataset: { name: 'mnist', version: 1 },
    status: 'running',
    acceptedAt: minutesAgo(0.2),
    round,
    rounds: ROUNDS,
    epochs: EPOCHS,
    shards: 4,
    shardsDone: 2,
    samples,
    samplesPerSecond: round === 0 ? 0 : SPEED,
    seconds: samples / SPEED + 0.2,
    secondsLeft: round === 0 ? null : (ROWS * EPOCHS - samples) / SPEED,
    bytes: {
      up: round * UPDATE_BYTES,
      down: round * UPDATE_BYTES,
      mergeRead: round * UPDATE_BYTES,
      mergeWritten: (round * UPDATE_BYTES) / 4,
    },
    history: history(round),
    result: null,
    ...changes,
  };
}

export const BATCH_JOB = 'job_01k2batch000';

/** A batch inference with `partsDone` of eight parts behind it. */
export const batchAt = (partsDone: number): FanOutView => ({
  job: BATCH_JOB,
  kind: 'batch',
  model: 'mnist',
  dataset: { name: 'mnist', version: 1 },
  status: 'running',
  acceptedAt: minutesAgo(0.1),
  parts: 8,
  partsDone,
  rows: 60_000,
  rowsDone: partsDone * 7_500,
  rowsPerSecond: 21_400,
  seconds: 1.4,
  secondsLeft: 2.5,
  result: null,
});

const hex = (digit: string) => digit.repeat(64);

export const endedJob = (
  job: string,
  release: number,
  accuracy: number,
  changes: Partial<TrainView> = {},
): TrainView =>
  jobAt(ROUNDS, {
    job,
    status: 'succeeded',
    shardsDone: 0,
    secondsLeft: 0,
    result: {
      v: 1,
      job,
      status: 'succeeded',
      endedAt: minutesAgo(0),
      release,
      graph: hex('c'),
      metrics: { accuracy, loss: 0.079 },
    },
    ...changes,
  });

/** A language model's job that has ended: its perplexity falls by orders of magnitude. */
export function languageJob(rounds: number, metrics: Metrics, changes: Partial<TrainView> = {}): TrainView {
  const job = endedJob(RUNNING_JOB, 1, 0, changes);
  const history = job.history.slice(0, rounds).map((point, i) => {
    const loss = 2 + 3 * Math.exp(-i / 3);
    return { ...point, loss, metrics: { perplexity: Math.exp(loss), accuracy: 0.1 + 0.02 * i } };
  });
  const result = job.result?.status === 'succeeded' ? { ...job.result, metrics } : job.result;
  return { ...job, model: 'stories', history, result };
}

const failedJob = (): TrainView =>
  jobAt(3, {
    job: FAILED_JOB,
    status: 'failed',
    acceptedAt: minutesAgo(95),
    secondsLeft: null,
    result: {
      v: 1,
      job: FAILED_JOB,
      status: 'failed',
      endedAt: minutesAgo(94),
      reason: 'loss is not a number in round 3: try a lower optimizer.learningRate',
    },
  });

export const release = (number: number, job: string, accuracy: number, minutes: number): Release => ({
  v: 1,
  model: 'mnist',
  release: number,
  variants: { fp32: { sha256: hex('a'), bytes: 407_560 } },
  signature: {
    inputs: [{ name: 'input', dtype: 'F32', shape: ['batch', 784] }],
    outputs: [{ name: 'probabilities', dtype: 'F32', shape: ['batch', 10] }],
  },
  metrics: { accuracy, loss: 0.079 },
  lineage: { job, dataset: { name: 'mnist', version: 1 }, graph: hex('b') },
  createdAt: minutesAgo(minutes),
});

const target = (requests: number, p50Ms: number, changes: Partial<TargetView> = {}): TargetView => ({
  configured: true,
  state: 'healthy',
  inFlight: 1,
  requests,
  errors: 0,
  ewmaMs: p50Ms * 1.15,
  p50Ms,
  p95Ms: p50Ms * 2.5,
  p99Ms: p50Ms * 6,
  ...changes,
});

/** Traffic so far, as counters that only rise, and the newest decisions. */
export function trafficOf(edge: number, cloud: number, changes: Partial<TargetView> = {}): RoutingView {
  const reasons = [
    ['edge', 'edge-faster', 1, 200],
    ['edge', 'edge-faster', 1, 200],
    ['cloud', 'cloud-faster', 14, 200],
    ['edge', 'edge-faster', 0, 200],
    ['cloud', 'fallback', 22, 200],
    ['edge', 'pinned', 2, 503],
  ] as const;
  return {
    targets: { edge: target(edge, 1), cloud: target(cloud, 12, changes) },
    recent: Array.from({ length: 12 }, (_, i) => {
      const [to, reason, actualMs, status] = reasons[i % reasons.length] ?? reasons[0];
      return {
        at: new Date(Date.now() - i * 180).toISOString(),
        model: 'mnist',
        target: to,
        reason,
        predictedMs: i === 11 ? null : to === 'edge' ? 1.1 : 13.4,
        actualMs,
        variant: null,
        status,
      };
    }),
  };
}

export const busyWorld = (): World => ({
  ...emptyWorld(),
  jobs: [jobAt(9), endedJob(ENDED_JOB, 2, 0.9778, { acceptedAt: minutesAgo(52) }), failedJob()],
  releases: [release(2, ENDED_JOB, 0.9778, 51), release(1, 'job_01k2first000', 0.9741, 118)],
  channels: { stable: 2, canary: 2, previous: 1 },
  routing: trafficOf(18_240, 2_310),
});
