/**
 * What a shard sends of a change, and what it keeps of it for its next one. With error feedback (Seide et al. 2014;
 * Karimireddy et al. 2019, arXiv:1901.09847) that is what the compression lost: v ← v + d, send C(v), v ← v − C(v).
 * With momentum correction (Lin et al. 2018, arXiv:1712.01887, section 3.2) the momentum is applied to each shard's
 * own changes before they are summed up, u ← μu + d, v ← v + u (with Nesterov's, v ← v + d + μu), and both are
 * forgotten where an element was sent, so that no stale momentum pushes it on.
 */
import type { TensorValue } from '../tensors/tensor.ts';
import { type Codec, decodeVector, encodeVector } from './codec.ts';

export interface Compression {
  readonly codec: Codec;
  /** Whether shards keep a residual. */
  readonly errorFeedback: boolean;
  /** The merge's, which the shards apply instead. Only with error feedback. */
  readonly momentum?: { readonly factor: number; readonly nesterov: boolean } | undefined;
}

/** As long as the change; zeros at first. */
export interface Residual {
  /** v. */
  readonly error: Float32Array<ArrayBuffer>;
  /** u. */
  readonly velocity: Float32Array<ArrayBuffer>;
}

/**
 * @param change d, finite; only read
 * @param residual what the last change left, replaced by what this one leaves; undefined: what is lost is lost
 * @param compressed elements after so many travel as they are
 * @returns tensors of {@link decodeVector}
 */
export function compress(
  name: string,
  change: Float32Array<ArrayBuffer>,
  residual: Residual | undefined,
  { codec, momentum }: Pick<Compression, 'codec' | 'momentum'>,
  compressed = change.length,
): Record<string, TensorValue> {
  if (residual === undefined) return encodeVector(name, change, codec, compressed);
  const { error, velocity } = residual;
  const wanted = change.slice();
  for (let i = 0; i < compressed; i++) {
    let due = change[i]!;
    if (momentum !== undefined) {
      velocity[i] = momentum.factor * velocity[i]! + due;
      due = momentum.nesterov ? due + momentum.factor * velocity[i]! : velocity[i]!;
    }
    wanted[i] = error[i]! + due;
  }
  const tensors = encodeVector(name, wanted, codec, compressed);
  const sent = decodeVector(name, new Map(Object.entries(tensors)), wanted.length, compressed);
  for (let i = 0; i < compressed; i++) {
    error[i] = wanted[i]! - sent[i]!;
    if (sent[i] !== 0) velocity[i] = 0;
  }
  return tensors;
}
