/** A release of a model that no job trained, for tests of what is done with it. */
import { decodeModel } from '../core/onnx/model.ts';
import { signatureOf } from '../core/onnx/signature.ts';
import { moveChannel } from '../core/registry/channels.ts';
import { publishRelease } from '../core/registry/releases.ts';
import { putBlob } from '../core/storage/blobs.ts';
import type { ObjectStore } from '../core/storage/object-store.ts';

/** Release 1 of model `m`, of dataset `d`, and the stable channel's. */
export async function releaseModel(
  store: ObjectStore,
  graph: Uint8Array<ArrayBuffer>,
  at: Date,
): Promise<void> {
  const { inputs, outputs } = signatureOf(decodeModel(graph));
  const specs = (tensors: typeof inputs) => tensors.map((spec) => ({ ...spec, shape: [...spec.shape] }));
  const sha256 = await putBlob(store, graph);
  const job = 'job_0000trained';
  await publishRelease(store, 'm', job, (release) => ({
    v: 1,
    model: 'm',
    release,
    variants: { fp32: { sha256, bytes: graph.length } },
    signature: { inputs: specs(inputs), outputs: specs(outputs) },
    metrics: {},
    lineage: { job, dataset: { name: 'd', version: 1 }, graph: sha256 },
    createdAt: at.toISOString(),
  }));
  await moveChannel(store, 'm', 'stable', 1, at);
}
