/** Stored values as a model reads them: what a client of the served model would send. */
import type { Stored } from '../metrics/scores/scorer.ts';
import { type DType, DTYPES, type NumericArray } from '../tensors/dtypes.ts';
import type { TensorValue } from '../tensors/tensor.ts';

/** Values of an 8-bit type. */
const BYTES = 256;

/**
 * @param reuse an array of the element type that may be written over: the values of a batch that was run, whose memory
 * is in the processor's cache
 * @returns the values divided by the divisor, in the element type of the model's input; the rows stay as they are
 */
export function modelInput(
  { dtype: stored, shape, data, divisor }: Stored,
  dtype: DType,
  reuse?: NumericArray,
): TensorValue {
  if (stored === dtype && divisor === undefined) return { dtype, shape, data };
  const { array } = DTYPES[dtype];
  const fits = reuse instanceof array && reuse.length >= data.length;
  const result = fits ? reuse.subarray(0, data.length) : new array(data.length);
  convert(data, result, divisor ?? 1);
  return { dtype, shape, data: result };
}

function convert(data: NumericArray, result: NumericArray, divisor: number): void {
  if (result instanceof BigInt64Array || result instanceof BigUint64Array) {
    for (let i = 0; i < data.length; i++) result[i] = BigInt(data[i]!);
  } else if (result instanceof Float32Array && data instanceof Uint8Array) {
    // Images: the few quotients there are, once each. V8 makes this loop several times as quick as one of divisions.
    const quotients = Float32Array.from({ length: BYTES }, (_, value) => value / divisor);
    for (let i = 0; i < data.length; i++) result[i] = quotients[data[i]!]!;
  } else {
    for (let i = 0; i < data.length; i++) result[i] = Number(data[i]!) / divisor;
  }
}
