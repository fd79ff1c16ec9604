/** A small job: of which sign the sum of four numbers is. */
import type { TrainRequest } from '../../core/contracts/job.ts';
import { columns } from '../../core/datasets/columns.ts';
import { importDataset } from '../../core/datasets/import.ts';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { createRandom } from '../../core/random.ts';
import { putBlob } from '../../core/storage/blobs.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';

export const NOW = new Date('2026-01-02T03:04:05Z');
export const GRAPH = buildMlp({
  inputs: 4,
  hidden: [24],
  classes: 2,
  seed: 1,
  inputName: 'x',
  outputName: 'p',
});

/** Stores dataset `d` and the graph. @returns the spec of a job on them, without what is the test's own */
export async function signJob(store: ObjectStore, rows: number) {
  const random = createRandom(7);
  const x = Float32Array.from({ length: rows * 4 }, random.normal);
  // The class is a sign that all four numbers have a part in.
  const y = Uint8Array.from({ length: rows }, (_, row) =>
    x.subarray(row * 4, row * 4 + 4).reduce((sum, value) => sum + value, 0) > 0 ? 1 : 0,
  );
  const split = columns({
    x: { spec: { dtype: 'F32', shape: [4] }, data: x },
    y: { spec: { dtype: 'U8', shape: [] }, data: y },
  });
  await importDataset(store, { name: 'd', splits: { train: split, test: split }, shards: 1, now: () => NOW });
  return {
    kind: 'train',
    model: { name: 'm', graph: await putBlob(store, GRAPH) },
    dataset: { name: 'd' },
    loss: { kind: 'softmax-cross-entropy', output: 'p', target: 'y' },
  } satisfies TrainRequest;
}
