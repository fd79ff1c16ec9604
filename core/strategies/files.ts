/**
 * What tasks exchange, as bytes. Whole states are safetensors files with a tensor per parameter (core/jobs/state.ts);
 * a slice of one has a tensor per flat vector.
 */
import { type Codec, decodeVector, encodeVector, EXACT } from '../compression/codec.ts';
import { compress, type Residual } from '../compression/feedback.ts';
import { Fault } from '../errors.ts';
import type { TrainingState } from '../jobs/state.ts';
import { decodeSafetensors, encodeSafetensors } from '../tensors/safetensors.ts';
import { allFinite } from '../tensors/finite.ts';
import type { TensorValue } from '../tensors/tensor.ts';
import type { Slice } from './slices.ts';
import type { Strategy, Update } from './strategy.ts';

type Bytes = Uint8Array<ArrayBuffer>;
type Vectors = Readonly<Record<string, Float32Array<ArrayBuffer>>>;

const PARAMETERS = 'parameters';
/** Of what is carried on: it is lossy itself, by less than a hundredth of what it makes good. */
const RESIDUAL: Codec = { values: 'int8' };

export function encodeStateSlice({ parameters, slots }: TrainingState): Bytes {
  const vectors = Object.entries({ [PARAMETERS]: parameters, ...slots });
  return encodeSafetensors(Object.assign({}, ...vectors.map(([name, v]) => encodeVector(name, v, EXACT))));
}

/** @throws Fault `invalid` where a vector is missing or has another length */
export function decodeStateSlice(bytes: Bytes, slots: readonly string[], length: number): TrainingState {
  const { tensors } = decodeSafetensors(bytes);
  const read = (name: string) => decodeVector(name, tensors, length);
  return {
    parameters: read(PARAMETERS),
    slots: Object.fromEntries(slots.map((slot) => [slot, read(slot)])),
  };
}

/** Parameters, or a slice of them, as shards download them. @param trained what may lose precision, at the front */
export const encodeModelSlice = (parameters: Float32Array<ArrayBuffer>, codec: Codec, trained: number) =>
  encodeSafetensors(encodeVector(PARAMETERS, parameters, codec, trained));

/** @throws Fault `invalid` where the file is not that of so many */
export const decodeModelSlice = (bytes: Bytes, length: number, trained: number) =>
  decodeVector(PARAMETERS, decodeSafetensors(bytes).tensors, length, trained);

/** @param length of the flat vector; nothing was kept yet */
export const noResidual = (length: number): Residual => ({
  error: new Float32Array(length),
  velocity: new Float32Array(length),
});

/** A shard that applies no momentum keeps no velocity. */
export function encodeResidual({ error, velocity }: Residual, hasVelocity: boolean): Bytes {
  return encodeSafetensors({
    ...encodeVector('error', error, RESIDUAL),
    ...(hasVelocity ? encodeVector('velocity', velocity, RESIDUAL) : {}),
  });
}

export function decodeResidual(bytes: Bytes, length: number, hasVelocity: boolean): Residual {
  const { tensors } = decodeSafetensors(bytes);
  return {
    error: decodeVector('error', tensors, length),
    velocity: hasVelocity ? decodeVector('velocity', tensors, length) : new Float32Array(length),
  };
}

/**
 * A shard's update as the tensors of one file for each slice.
 * @param vectors what the strategy sends, flat and whole
 * @param residual what the shard kept, replaced by what it keeps now; undefined where it keeps nothing
 * @throws Fault `unprocessable` naming the shard where a value is not finite: no compressed format has a place for it
 */
export function encodeUpdate(
  { shard, vectors }: Pick<Update, 'shard' | 'vectors'>,
  residual: Residual | undefined,
  { compression }: Pick<Strategy, 'compression'>,
  slices: readonly Slice[],
): Record<string, TensorValue>[] {
  if (compression !== undefined && !Object.values(vectors).every(allFinite))
    throw new Fault('unprocessable', `the update of shard ${shard} is not finite: training diverged`);
  return slices.map(({ start, end, trained }) => {
    const cut = (vector: Float32Array<ArrayBuffer>) => vector.subarray(start, end);
    const kept = residual && { error: cut(residual.error), velocity: cut(residual.velocity) };
    const tensors = Object.entries(vectors).map(([name, vector]) =>
      compression === undefined
        ? encodeVector(name, cut(vector), EXACT)
        : compress(name, cut(vector), kept, compression, trained),
    );
    return Object.assign({}, ...tensors);
  });
}

/** @returns the vectors of a slice as they arrive */
export function decodeUpdate(
  tensors: ReadonlyMap<string, TensorValue>,
  { sends, slots, compression }: Pick<Strategy, 'sends' | 'slots' | 'compression'>,
  { start, end, trained }: Slice,
): Vectors {
  const names = sends === 'state' ? [PARAMETERS, ...slots] : [sends];
  const length = end - start;
  const compressed = compression === undefined ? length : trained;
  return Object.fromEntries(names.map((name) => [name, decodeVector(name, tensors, length, compressed)]));
}
