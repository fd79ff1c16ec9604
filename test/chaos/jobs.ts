/** The jobs that are disturbed: small, but each with something of its own that must survive. */
import type { z } from 'zod';
import type { JobSpec, TrainRequest } from '../../core/contracts/job.ts';
import { columns } from '../../core/datasets/columns.ts';
import { importDataset } from '../../core/datasets/import.ts';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { createRandom } from '../../core/random.ts';
import { putBlob } from '../../core/storage/blobs.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import { FAN_OUT_JOBS, prepareFanOut } from './fan-out-jobs.ts';

const ROWS = 120;
const FEATURES = 4;
const GRAPH = buildMlp({
  inputs: FEATURES,
  hidden: [16],
  classes: 2,
  seed: 1,
  inputName: 'x',
  outputName: 'p',
});

/** By name: what differs from two epochs of three shards with Adam, in four rounds. */
const TRAININGS: Readonly<Record<string, Partial<TrainRequest>>> = {
  adam: {},
  'one shard, many rounds': { shards: 1, strategy: { kind: 'local-sgd', localSteps: 4 } },
  'momentum, accumulated and clipped': {
    optimizer: { kind: 'sgd', learningRate: 0.05, momentum: 0.9, nesterov: true },
    accumulate: 2,
    clipNorm: 1,
    strategy: { kind: 'local-sgd', localSteps: 2 },
  },
  'adapters, five shards': {
    lora: { rank: 2, alpha: 4 },
    shards: 5,
    strategy: { kind: 'local-sgd', localSteps: 3 },
  },
  'a gradient a step, two mergers': {
    strategy: { kind: 'all-reduce', mergers: 2 },
    epochs: 1,
  },
  'outer momentum, 8 bits with error feedback': {
    strategy: { kind: 'diloco', localSteps: 4, mergers: 2 },
    compression: { values: 'int8', download: 'fp16' },
  },
  'rounds that overlap, the largest elements': {
    strategy: { kind: 'bounded-staleness', localSteps: 4, staleness: 2 },
    compression: { values: 'fp16', topK: { fraction: 0.1 } },
  },
};

/** The kinds of jobs take turns: of any eleven seeds in a row each has one. */
export const JOB_NAMES = [...Object.keys(TRAININGS), ...Object.keys(FAN_OUT_JOBS)];

/** Imports the rows and the model. @returns the request */
export async function prepareJob(store: ObjectStore, name: string): Promise<z.input<typeof JobSpec>> {
  const fanOut = FAN_OUT_JOBS[name];
  if (fanOut === undefined) return prepareTraining(store, name);
  await prepareFanOut(store);
  return fanOut;
}

async function prepareTraining(store: ObjectStore, name: string): Promise<TrainRequest> {
  const random = createRandom(7);
  const x = Float32Array.from({ length: ROWS * FEATURES }, random.normal);
  // The class is a sign that all four numbers have a part in.
  const y = Uint8Array.from({ length: ROWS }, (_, row) => {
    const own = x.subarray(row * FEATURES, (row + 1) * FEATURES);
    return own.reduce((sum, value) => sum + value, 0) > 0 ? 1 : 0;
  });
  const split = columns({
    x: { spec: { dtype: 'F32', shape: [FEATURES] }, data: x },
    y: { spec: { dtype: 'U8', shape: [] }, data: y },
  });
  const now = () => new Date('2026-01-02T03:04:05Z');
  await importDataset(store, { name: 'd', splits: { train: split, test: split }, shards: 3, now });
  return {
    kind: 'train',
    model: { name: 'm', graph: await putBlob(store, GRAPH) },
    dataset: { name: 'd' },
    loss: { kind: 'softmax-cross-entropy', output: 'p', target: 'y' },
    optimizer: { kind: 'adam', learningRate: 0.01 },
    shards: 3,
    epochs: 2,
    batchSize: 5,
    strategy: { kind: 'local-sgd', localSteps: 4 },
    ...TRAININGS[name],
  };
}
