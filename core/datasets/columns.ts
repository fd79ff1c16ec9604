/** Rows in memory, column by column: what importers make and training reads. */
import type { DatasetTensor } from '../contracts/dataset.ts';
import { Fault } from '../errors.ts';
import { DTYPES, type NumericArray } from '../tensors/dtypes.ts';
import { elementCount } from '../tensors/tensor.ts';

export interface Column {
  readonly spec: DatasetTensor;
  /** All rows one after another; `rows × elementCount(spec.shape)` elements of `spec.dtype`. */
  readonly data: NumericArray;
}

export interface Columns {
  readonly rows: number;
  readonly tensors: Readonly<Record<string, Column>>;
}

/** @throws Fault `invalid` where columns disagree about the number of rows, or data about its shape. */
export function columns(tensors: Readonly<Record<string, Column>>): Columns {
  let rows: number | undefined;
  for (const [name, { spec, data }] of Object.entries(tensors)) {
    if (!(data instanceof DTYPES[spec.dtype].array)) {
      throw new Fault('invalid', `${name}: data is not ${spec.dtype}`, { field: name });
    }
    const perRow = elementCount(spec.shape);
    const count = data.length / perRow;
    if (!Number.isInteger(count) || count === 0) {
      const shape = `[${spec.shape.join(', ')}]`;
      throw new Fault('invalid', `${name}: ${data.length} elements are no whole rows of shape ${shape}`, {
        field: name,
      });
    }
    if (rows !== undefined && rows !== count) {
      throw new Fault('invalid', `${name}: has ${count} rows, the tensors before it have ${rows}`, {
        field: name,
      });
    }
    rows = count;
  }
  if (rows === undefined) throw new Fault('invalid', 'tensors: at least one is needed', { field: 'tensors' });
  return { rows, tensors };
}

/** Rows `[start, end)` as views, without copying. */
export function slice(all: Columns, start: number, end: number): Columns {
  const tensors = Object.entries(all.tensors).map(([name, { spec, data }]) => {
    const perRow = elementCount(spec.shape);
    return [name, { spec, data: data.subarray(start * perRow, end * perRow) }] as const;
  });
  return { rows: end - start, tensors: Object.fromEntries(tensors) };
}

/** Parts one after another. One part is returned as it is, several are copied. All must have the same tensors. */
export function concatenate(parts: readonly Columns[]): Columns {
  const first = parts[0];
  if (first === undefined) throw new Fault('invalid', 'no rows to concatenate');
  if (parts.length === 1) return first;
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const tensors = Object.entries(first.tensors).map(([name, { spec }]) => {
    const perRow = elementCount(spec.shape);
    const data: NumericArray = new DTYPES[spec.dtype].array(rows * perRow);
    let at = 0;
    for (const part of parts) {
      const piece = part.tensors[name];
      if (piece === undefined) throw new Fault('invalid', `${name}: missing in a part`, { field: name });
      copy(data, piece.data, at);
      at += part.rows * perRow;
    }
    return [name, { spec, data }] as const;
  });
  return { rows, tensors: Object.fromEntries(tensors) };
}

/** `target.set(source, at)` for two arrays of one dtype, which TypeScript cannot see are the same. */
function copy(target: NumericArray, source: NumericArray, at: number): void {
  const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
  bytes.set(
    new Uint8Array(source.buffer, source.byteOffset, source.byteLength),
    at * target.BYTES_PER_ELEMENT,
  );
}
