/** Jobs that are split, executed and merged, for the same faults: batch inference in two formats, an evaluation and a map. */
import type { z } from 'zod';
import type { JobSpec } from '../../core/contracts/job.ts';
import { columns } from '../../core/datasets/columns.ts';
import { importDataset } from '../../core/datasets/import.ts';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { createRandom } from '../../core/random.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import { releaseModel } from '../release-model.ts';

const ROWS = 210;
const FEATURES = 4;
const CLASSES = 3;
const NOW = new Date('2026-01-02T03:04:05Z');
const GRAPH = buildMlp({
  inputs: FEATURES,
  hidden: [16],
  classes: CLASSES,
  seed: 3,
  inputName: 'x',
  outputName: 'p',
});

type Request = z.input<typeof JobSpec>;

const random = createRandom(9);
/** Bytes, as images have them: the model sees them divided by 255. */
const X = Uint8Array.from({ length: ROWS * FEATURES }, () => random.below(256));
const Y = Uint8Array.from({ length: ROWS }, () => random.below(CLASSES));

const OVER_ROWS = { model: { name: 'm' }, dataset: { name: 'd' } };

export const FAN_OUT_JOBS: Readonly<Record<string, Request>> = {
  'batch to safetensors, six parts': { kind: 'batch', ...OVER_ROWS, shards: 6, batchSize: 16 },
  'batch to CSV, the parts of the dataset': { kind: 'batch', ...OVER_ROWS, batchSize: 64, format: 'csv' },
  'evaluate, five parts': {
    kind: 'evaluate',
    ...OVER_ROWS,
    shards: 5,
    loss: { kind: 'softmax-cross-entropy', output: 'p', target: 'y' },
  },
  'map over items, of which one is refused': {
    kind: 'map',
    function: { kind: 'predict', model: { name: 'm' } },
    items: Array.from({ length: 40 }, (_, item) =>
      item === 17
        ? { x: [1] }
        : { x: [...X.subarray(item * FEATURES, (item + 1) * FEATURES)].map((value) => value / 255) },
    ),
    itemsPerPart: 7,
  },
};

/** Imports the rows and releases the model. */
export async function prepareFanOut(store: ObjectStore): Promise<void> {
  const test = columns({
    x: { spec: { dtype: 'U8', shape: [FEATURES], divisor: 255 }, data: X },
    y: { spec: { dtype: 'U8', shape: [] }, data: Y },
  });
  await importDataset(store, { name: 'd', splits: { test }, shards: 4, now: () => NOW });
  await releaseModel(store, GRAPH, NOW);
}
