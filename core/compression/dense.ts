/** A vector's elements in fewer bits, as the tensors of a safetensors file. The same vector gives the same bytes. */
import type { Precision } from '../contracts/strategy.ts';
import { Fault } from '../errors.ts';
import type { TensorValue } from '../tensors/tensor.ts';
import { float16Bits, float16Values } from './float16.ts';

/** Elements that share a scale in `int8`: 1.6 % more bytes, and one outlier spoils few. */
export const BLOCK = 256;
const LEVELS = 127;

export interface Dense {
  readonly values: TensorValue;
  /** What the values are multiplied by: one for all of `fp16`, one a block of `int8`, none of `fp32`. */
  readonly scales?: TensorValue;
}

const vector = (data: TensorValue['data'], dtype: TensorValue['dtype']): TensorValue => ({
  dtype,
  shape: [data.length],
  data,
});

const ENCODE: Readonly<Record<Precision, (values: Float32Array<ArrayBuffer>) => Dense>> = {
  fp32: (values) => ({ values: vector(values, 'F32') }),
  fp16(values) {
    // A power of two is exact: what is largest comes to lie between 2^14 and 2^15, where nothing overflows.
    const largest = magnitude(values, 0, values.length);
    const scale = largest === 0 ? 1 : clampedPower(exponentOf(largest) - 14);
    const bits = new Uint16Array(values.length);
    for (let i = 0; i < bits.length; i++) bits[i] = float16Bits(values[i]! / scale);
    return { values: vector(bits, 'U16'), scales: vector(Float32Array.of(scale), 'F32') };
  },
  int8(values) {
    const scales = new Float32Array(Math.ceil(values.length / BLOCK));
    const codes = new Int8Array(values.length);
    for (let block = 0; block < scales.length; block++) {
      const start = block * BLOCK;
      const end = Math.min(start + BLOCK, values.length);
      scales[block] = magnitude(values, start, end) / LEVELS;
      const scale = scales[block]!;
      if (scale === 0) continue;
      for (let i = start; i < end; i++) codes[i] = nearest(values[i]! / scale);
    }
    return { values: vector(codes, 'I8'), scales: vector(scales, 'F32') };
  },
};

/** @param values finite: neither format has a place for NaN */
export const encodeDense = (values: Float32Array<ArrayBuffer>, precision: Precision): Dense =>
  ENCODE[precision](values);

/**
 * @param length elements there must be
 * @returns the tensor's own data where it is exact: not to be written
 * @throws Fault `invalid` where the tensors are not what {@link encodeDense} makes of so many
 */
export function decodeDense({ values, scales }: Dense, length: number): Float32Array<ArrayBuffer> {
  const { data } = values;
  const scale = scales?.data;
  if (data.length === length) {
    if (data instanceof Float32Array) return data as Float32Array<ArrayBuffer>;
    if (data instanceof Uint16Array && scale instanceof Float32Array && scale.length === 1)
      return fromFloat16(data, scale[0]!);
    if (data instanceof Int8Array && scale instanceof Float32Array && scale.length === blocks(length)) {
      const decoded = new Float32Array(length);
      for (let i = 0; i < length; i++) decoded[i] = data[i]! * scale[Math.floor(i / BLOCK)]!;
      return decoded;
    }
  }
  throw new Fault('invalid', `${data.length} values of ${values.dtype} are no vector of ${length}`);
}

function fromFloat16(bits: Uint16Array, scale: number): Float32Array<ArrayBuffer> {
  const table = float16Values();
  const values = new Float32Array(bits.length);
  for (let i = 0; i < values.length; i++) values[i] = table[bits[i]!]! * scale;
  return values;
}

const blocks = (length: number) => Math.ceil(length / BLOCK);

function magnitude(values: Float32Array, start: number, end: number): number {
  let largest = 0;
  for (let i = start; i < end; i++) {
    const value = Math.abs(values[i]!);
    if (value > largest) largest = value;
  }
  return largest;
}

/** Halves go away from zero, on both sides alike. The scale was rounded, so a code may come to lie just beyond the last. */
function nearest(value: number): number {
  const code = value < 0 ? -Math.round(-value) : Math.round(value);
  return Math.max(-LEVELS, Math.min(LEVELS, code));
}

/** ⌊log2⌋ of a positive float32, read from its bits: Math.log2 may differ in its last place from engine to engine. */
const exponentOf = (value: number) => (new Uint32Array(Float32Array.of(value).buffer)[0]! >>> 23) - 127;

/** Of a normal float32. */
const clampedPower = (exponent: number) => 2 ** Math.max(-126, Math.min(127, exponent));
