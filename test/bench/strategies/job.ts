/** The job that every row does: the main job's data and model on eight shards, and what it turned out to take. */
import type { TrainRequest, Traffic } from '../../../core/contracts/job.ts';
import { importMnist, mnistJob } from '../../../infra/cli/mnist.ts';
import type { MemoryStore } from '../../unit/memory-store.ts';

export const SHARDS = 8;
/** As many steps a shard as the main job's four take in five epochs. */
export const EPOCHS = 10;
export const BATCH = 32;
/** Steps of a shard: 60,000 rows by 8 shards by 32. */
export const EPOCH = 235;

export interface Outcome {
  /** On the test images. */
  readonly accuracy: number;
  readonly rounds: number;
  /** Of the whole job. */
  readonly bytes: Traffic;
}

/** @returns makes the job of a seed: initial weights and shuffling */
export async function mnistIn(store: MemoryStore): Promise<(seed: number) => Promise<TrainRequest>> {
  const manifest = await importMnist(store);
  return async (seed) => ({
    ...(await mnistJob(store, manifest, seed)),
    shards: SHARDS,
    epochs: EPOCHS,
    batchSize: BATCH,
  });
}
