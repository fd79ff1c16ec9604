/** A trained adapter by itself: what another copy of the base needs to become the fine-tuned model. */
import type { ParameterSlot } from '../contracts/job.ts';
import type { LoraSpec } from '../contracts/lora.ts';
import { Fault } from '../errors.ts';
import { decodeSafetensors, encodeSafetensors } from '../tensors/safetensors.ts';
import type { TensorValue } from '../tensors/tensor.ts';

export interface AdapterFile {
  readonly tensors: ReadonlyMap<string, TensorValue>;
  readonly rank: number;
  readonly alpha: number;
  /** SHA-256 of the forward graph it belongs to. */
  readonly base: string;
}

/**
 * safetensors with `<weight>.lora_A` `[in, rank]` and `<weight>.lora_B` `[rank, out]`, and by its own name whatever was
 * trained beside them; metadata `rank`, `alpha`, `base`.
 * @param layout the places of all that was trained in the flat vector
 */
export function encodeAdapter(
  layout: readonly ParameterSlot[],
  flat: Float32Array,
  { rank, alpha }: Pick<LoraSpec, 'rank' | 'alpha'>,
  base: string,
): Uint8Array<ArrayBuffer> {
  const tensors = layout.map(({ name, shape, offset, length }) => {
    return [name, { dtype: 'F32', shape, data: flat.subarray(offset, offset + length) }] as const;
  });
  return encodeSafetensors(new Map(tensors), { rank: String(rank), alpha: String(alpha), base });
}

/** @throws Fault `invalid` where the file is no adapter */
export function decodeAdapter(bytes: Uint8Array<ArrayBuffer>): AdapterFile {
  const { tensors, metadata } = decodeSafetensors(bytes);
  const [rank, alpha] = [Number(metadata['rank']), Number(metadata['alpha'])];
  const { base } = metadata;
  if (!Number.isInteger(rank) || rank < 1 || !(alpha > 0) || base === undefined)
    throw new Fault('invalid', 'the file is no LoRA adapter: its metadata must have rank, alpha and base');
  return { tensors, rank, alpha, base };
}
