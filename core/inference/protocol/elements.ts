/**
 * Tensor elements in the Open Inference Protocol's JSON: one row per element type, how it is read and written.
 * Reading is on the hot path (784 numbers a request): plain loops into a typed array, no schema, no closures per
 * element.
 */
import { Fault } from '../../errors.ts';
import type { DType, NumericArray } from '../../tensors/dtypes.ts';

interface ElementRow {
  /** What a JSON element must be, for the fault. */
  readonly must: string;
  /**
   * Stores all of `source` in `target` from `at` on.
   * @returns the index in `source` of the first element that is not allowed, -1 where all are
   */
  readonly read: (source: readonly unknown[], target: never, at: number) => number;
  /** JSON of the elements, without brackets; undefined where JSON cannot carry one of them. */
  readonly write: (data: never) => string | undefined;
}

const MAX_FLOAT32 = 3.4028234663852886e38;

/** Monomorphic on purpose: the usual input type, kept apart from the other loops. */
function readFloat32(source: readonly unknown[], target: Float32Array, at: number): number {
  for (let i = 0; i < source.length; i++) {
    const element = source[i];
    if (typeof element !== 'number') return i;
    target[at + i] = element;
    // A value just above the largest float32 may still round down to it.
    if ((element > MAX_FLOAT32 || element < -MAX_FLOAT32) && !Number.isFinite(Math.fround(element))) return i;
  }
  return -1;
}

function readFloat64(source: readonly unknown[], target: Float64Array, at: number): number {
  for (let i = 0; i < source.length; i++) {
    const element = source[i];
    if (typeof element !== 'number' || !Number.isFinite(element)) return i;
    target[at + i] = element;
  }
  return -1;
}

type SmallIntegers = Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array;

/** Both bounds are allowed. */
function integers(lowest: number, highest: number): ElementRow {
  return {
    must: `an integer from ${lowest} to ${highest}`,
    read(source, target: SmallIntegers, at) {
      for (let i = 0; i < source.length; i++) {
        const element = source[i];
        if (typeof element !== 'number' || !Number.isInteger(element)) return i;
        if (element < lowest || element > highest) return i;
        target[at + i] = element;
      }
      return -1;
    },
    write: (data: SmallIntegers) => data.join(','),
  };
}

/** JSON.parse has already rounded an integer beyond 2^53: it is refused rather than computed with. */
function bigIntegers(lowest: number): ElementRow {
  return {
    must: `an integer from ${lowest} to ${Number.MAX_SAFE_INTEGER} (beyond 2^53 JSON numbers are not exact)`,
    read(source, target: BigInt64Array | BigUint64Array, at) {
      for (let i = 0; i < source.length; i++) {
        const element = source[i];
        if (typeof element !== 'number' || !Number.isSafeInteger(element) || element < lowest) return i;
        target[at + i] = BigInt(element);
      }
      return -1;
    },
    /** All digits, also beyond 2^53: a client that reads JSON integers exactly gets them exactly. */
    write: (data: BigInt64Array | BigUint64Array) => data.join(','),
  };
}

function writeFloats(data: Float32Array | Float64Array): string | undefined {
  return data.every(Number.isFinite) ? data.join(',') : undefined;
}

const ELEMENTS: Record<DType, ElementRow> = {
  F32: { must: 'a number in the range of FP32', read: readFloat32, write: writeFloats },
  F64: { must: 'a number in the range of FP64', read: readFloat64, write: writeFloats },
  I8: integers(-128, 127),
  U8: integers(0, 255),
  I16: integers(-32_768, 32_767),
  U16: integers(0, 65_535),
  I32: integers(-2_147_483_648, 2_147_483_647),
  U32: integers(0, 4_294_967_295),
  I64: bigIntegers(Number.MIN_SAFE_INTEGER),
  U64: bigIntegers(0),
  BOOL: {
    must: 'true or false',
    read(source, target: Uint8Array, at) {
      for (let i = 0; i < source.length; i++) {
        const element = source[i];
        if (typeof element !== 'boolean') return i;
        target[at + i] = element ? 1 : 0;
      }
      return -1;
    },
    write: (data: Uint8Array) => Array.from(data, (element) => (element === 0 ? 'false' : 'true')).join(','),
  },
};

/**
 * Stores JSON elements in a typed array of that dtype.
 * @param field of `source`, for the fault
 * @throws Fault `invalid` naming the first element that is not allowed
 */
export function readElements(
  dtype: DType,
  source: readonly unknown[],
  target: NumericArray,
  at: number,
  field: string,
): void {
  const { read, must } = ELEMENTS[dtype];
  const wrong = read(source, target as never, at);
  if (wrong === -1) return;
  const where = `${field}[${wrong}]`;
  throw new Fault('invalid', `${where}: must be ${must}, not ${shown(source[wrong])}`, { field: where });
}

/** A short JSON form of a wrong value; what JSON has no word for is a number too large for it. */
export function shown(value: unknown): string {
  if (value === Infinity || value === -Infinity) return 'one out of its range';
  const json = JSON.stringify(value) ?? 'nothing';
  return json.length <= 40 ? json : `${json.slice(0, 40)}…`;
}

/** @throws Fault `unprocessable` for NaN and infinities, which JSON does not have. */
export function writeElements(dtype: DType, data: NumericArray, field: string): string {
  const json = ELEMENTS[dtype].write(data as never);
  if (json !== undefined) return json;
  const wrong = (data as Float32Array).findIndex((element) => !Number.isFinite(element));
  throw new Fault(
    'unprocessable',
    `${field}[${wrong}]: the model computed ${data[wrong]}, which JSON cannot carry`,
    { field },
  );
}
