/** Cells as numbers of a dtype. */
import { DTYPES, type NumericArray } from '../../tensors/dtypes.ts';
import type { FeatureDType } from './options.ts';
import type { Cell } from './table.ts';

const LIMITS: Readonly<Record<Exclude<FeatureDType, 'F32' | 'F64'>, readonly [number, number]>> = {
  I8: [-(2 ** 7), 2 ** 7 - 1],
  U8: [0, 2 ** 8 - 1],
  I16: [-(2 ** 15), 2 ** 15 - 1],
  U16: [0, 2 ** 16 - 1],
  I32: [-(2 ** 31), 2 ** 31 - 1],
  U32: [0, 2 ** 32 - 1],
  // What a double counts to without a gap.
  I64: [-(2 ** 53) + 1, 2 ** 53 - 1],
  U64: [0, 2 ** 53 - 1],
};

/** @returns the number, or why there is none */
export function numberOf(cell: Cell, dtype: FeatureDType): number | string {
  const value = typeof cell === 'string' ? parse(cell) : isScalar(cell) ? Number(cell) : NaN;
  if (!Number.isFinite(value)) return `${shown(cell)} is no number`;
  if (dtype === 'F64') return value;
  if (dtype === 'F32')
    return Number.isFinite(Math.fround(value)) ? value : `${shown(cell)} is too large for F32`;
  const [low, high] = LIMITS[dtype];
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  return `${shown(cell)} is not ${dtype}: that is whole numbers from ${low} to ${high}`;
}

/** Number() takes an empty text for 0. */
const parse = (text: string) => (text.trim() === '' ? NaN : Number(text));

const isScalar = (cell: Cell) => cell !== null && cell !== undefined && typeof cell !== 'object';

function shown(cell: Cell): string {
  if (typeof cell === 'bigint') return String(cell);
  const text = JSON.stringify(cell) ?? 'nothing';
  return text.length > 40 ? `${text.slice(0, 40)} …` : text;
}

/** Puts numbers into an array of a dtype. */
export function setter(dtype: FeatureDType, data: NumericArray): (at: number, value: number) => void {
  if (dtype === 'I64' || dtype === 'U64')
    return (at, value) => {
      data[at] = BigInt(value) as never;
    };
  return (at, value) => {
    data[at] = value as never;
  };
}

export const arrayOf = (dtype: FeatureDType, length: number): NumericArray => new DTYPES[dtype].array(length);
