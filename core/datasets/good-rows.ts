/** The rows of a batch that can be stored, and what most sources must not let through. */
import { DTYPES, type NumericArray } from '../tensors/dtypes.ts';
import { elementCount } from '../tensors/tensor.ts';
import type { BadRows } from './bad-rows.ts';
import { type Columns, slice } from './columns.ts';
import type { Batch } from './source.ts';

/** Class ids are small numbers: more classes than this is more likely a wrong column. */
export const MAX_CLASS = 1_000_000;

/** @returns undefined where a batch has no good row. Wrong ones are reported. */
export function goodRows(batch: Batch, bad: BadRows): Columns | undefined {
  const { rows, wrong } = batch;
  if (wrong.size === 0) return rows;
  for (const row of [...wrong.keys()].sort((a, b) => a - b)) bad.report(batch.placeOf(row), wrong.get(row)!);
  return without(rows, wrong);
}

/**
 * Rows with numbers that are not finite, or with class ids that are none: training would refuse them.
 * @param classes names of tensors whose elements are class ids
 * @returns why a row is wrong, by its number
 */
export function wrongValues({ tensors }: Columns, classes: ReadonlySet<string>): Map<number, string> {
  const wrong = new Map<number, string>();
  for (const [name, { spec, data }] of Object.entries(tensors)) {
    const isFloat = spec.dtype === 'F32' || spec.dtype === 'F64';
    const reasonOf = classes.has(name) ? notAnId : notFinite;
    if (!isFloat && reasonOf === notFinite) continue;
    const width = elementCount(spec.shape);
    for (let i = 0; i < data.length; i++) {
      const reason = reasonOf(Number(data[i]));
      const row = Math.floor(i / width);
      if (reason !== undefined && !wrong.has(row)) wrong.set(row, `${name}: ${reason}`);
    }
  }
  return wrong;
}

function notFinite(value: number): string | undefined {
  return Number.isFinite(value) ? undefined : `${value} is no finite number`;
}

export function notAnId(value: number): string | undefined {
  if (Number.isInteger(value) && value >= 0 && value <= MAX_CLASS) return undefined;
  return `${value} is no class id: those are whole numbers from 0 to ${MAX_CLASS}`;
}

function without(rows: Columns, wrong: ReadonlyMap<number, string>): Columns | undefined {
  const kept = rows.rows - wrong.size;
  if (kept === 0) return undefined;
  const tensors = Object.entries(rows.tensors).map(([name, { spec, data }]) => {
    const width = elementCount(spec.shape);
    const packed: NumericArray = new DTYPES[spec.dtype].array(data.length);
    let at = 0;
    for (let row = 0; row < rows.rows; row++) {
      if (wrong.has(row)) continue;
      // One dtype, one array type: a bigint meets a bigint.
      for (let i = 0; i < width; i++) packed[at++] = data[row * width + i] as never;
    }
    return [name, { spec, data: packed }] as const;
  });
  return slice({ rows: rows.rows, tensors: Object.fromEntries(tensors) }, 0, kept);
}
