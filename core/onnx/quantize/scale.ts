/** Symmetric 8-bit quantisation, one scale per output channel: real value ≈ scale · integer. */

/** Integers of magnitude 127 at most: -128 would make the range lopsided for half a step. */
const LARGEST = 127;

export interface QuantizedRows {
  /** In the order of the values. */
  readonly integers: Int8Array<ArrayBuffer>;
  /** One per row. */
  readonly scales: Float32Array<ArrayBuffer>;
}

/**
 * @param values `[rows, columns]`; a row is what shares a scale
 * @returns undefined where a value is not finite: it has no integer
 */
export function quantizeRows(values: Float32Array, rows: number): QuantizedRows | undefined {
  const columns = rows === 0 ? 0 : values.length / rows;
  const integers = new Int8Array(values.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    let largest = 0;
    for (let i = start; i < start + columns; i++) {
      const magnitude = Math.abs(values[i]!);
      // Written so that NaN is caught too.
      if (!(magnitude < Infinity)) return undefined;
      if (magnitude > largest) largest = magnitude;
    }
    // A row of zeros, or of numbers too small for a scale in float32, is zeros under any scale.
    const scale = Math.fround(largest / LARGEST) || 1;
    scales[row] = scale;
    for (let i = start; i < start + columns; i++) {
      // A denormal scale is rounded coarsely: the quotient may pass the largest.
      integers[i] = Math.max(-LARGEST, Math.min(LARGEST, Math.round(values[i]! / scale)));
    }
  }
  return { integers, scales };
}

/** What an unsigned byte calls zero when it stands for a signed one. */
export const UNSIGNED_ZERO = 128;

/** The same integers as unsigned bytes around {@link UNSIGNED_ZERO}. */
export const toUnsigned = (integers: Int8Array): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(integers, (integer) => integer + UNSIGNED_ZERO);

/** @param matrix `[rows, columns]` @returns `[columns, rows]` */
export function transpose<T extends Float32Array | Int8Array>(matrix: T, rows: number, columns: number): T {
  const turned = matrix.slice();
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      turned[column * rows + row] = matrix[row * columns + column]!;
    }
  }
  return turned as T;
}
