/** A vector as tensors of a safetensors file, `<name>.values` and what belongs to them, in the precision asked for. */
import type { Precision } from '../contracts/strategy.ts';
import { Fault } from '../errors.ts';
import type { TensorValue } from '../tensors/tensor.ts';
import { decodeDense, encodeDense } from './dense.ts';
import { decodePlaces, encodePlaces, largestPlaces } from './top-k.ts';

export interface Codec {
  readonly values: Precision;
  /** The part of the elements, largest first, that is kept; default: all. At least one is. */
  readonly fraction?: number | undefined;
}

export const EXACT: Codec = { values: 'fp32' };

export type Tensors = Readonly<Record<string, TensorValue>>;

/**
 * @param name prefix of the tensors
 * @param compressed the elements after so many travel as they are, as `<name>.rest`; default: none do
 */
export function encodeVector(
  name: string,
  values: Float32Array<ArrayBuffer>,
  codec: Codec,
  compressed = values.length,
): Record<string, TensorValue> {
  const head = values.subarray(0, compressed);
  const rest = values.subarray(compressed);
  const places =
    codec.fraction === undefined || head.length === 0
      ? undefined
      : largestPlaces(head, Math.min(head.length, Math.ceil(codec.fraction * head.length)));
  const kept = places === undefined ? head : Float32Array.from(places, (place) => head[place]!);
  const { values: numbers, scales } = encodeDense(kept, codec.values);
  return {
    [`${name}.values`]: numbers,
    ...(scales === undefined ? {} : { [`${name}.scales`]: scales }),
    ...(places === undefined ? {} : { [`${name}.gaps`]: bytes(encodePlaces(places)) }),
    ...(rest.length === 0 ? {} : { [`${name}.rest`]: { dtype: 'F32', shape: [rest.length], data: rest } }),
  };
}

const bytes = (data: Uint8Array<ArrayBuffer>): TensorValue => ({ dtype: 'U8', shape: [data.length], data });

/**
 * @param length elements of the vector
 * @param compressed as it was encoded with
 * @returns perhaps the tensor's own data: not to be written
 * @throws Fault `invalid` where the tensors are no such vector
 */
export function decodeVector(
  name: string,
  tensors: ReadonlyMap<string, TensorValue>,
  length: number,
  compressed = length,
): Float32Array<ArrayBuffer> {
  const values = tensors.get(`${name}.values`);
  if (values === undefined) throw new Fault('invalid', `there is no tensor ${name}.values`);
  const scales = tensors.get(`${name}.scales`);
  const gaps = tensors.get(`${name}.gaps`)?.data;
  const rest = tensors.get(`${name}.rest`)?.data;
  const dense = { values, ...(scales === undefined ? {} : { scales }) };
  if (gaps === undefined && compressed === length) return decodeDense(dense, length);
  const vector = new Float32Array(length);
  if (gaps instanceof Uint8Array) {
    const kept = decodeDense(dense, values.data.length);
    const places = decodePlaces(gaps, kept.length, compressed);
    for (let i = 0; i < places.length; i++) vector[places[i]!] = kept[i]!;
  } else vector.set(decodeDense(dense, compressed));
  if (compressed < length) {
    if (!(rest instanceof Float32Array) || rest.length !== length - compressed)
      throw new Fault('invalid', `tensor ${name}.rest is not F32 [${length - compressed}]`);
    vector.set(rest, compressed);
  }
  return vector;
}
