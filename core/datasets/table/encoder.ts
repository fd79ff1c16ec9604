/** Cells of one column into the array of its tensor. */
import type { NumericArray } from '../../tensors/dtypes.ts';
import { elementCount } from '../../tensors/tensor.ts';
import { notAnId } from '../good-rows.ts';
import { category } from './category.ts';
import { arrayOf, numberOf, setter } from './number.ts';
import type { FeatureDType, TableOptions } from './options.ts';
import { isMissing, type TableColumn } from './schema.ts';
import type { Cell } from './table.ts';

export interface ColumnEncoder {
  readonly column: TableColumn;
  readonly isClass: boolean;
  /** Whether missing values are filled in, and so have to be counted. */
  readonly mayFill: boolean;
  array(length: number): NumericArray;
  /** @returns puts a cell at an element of `data`; it returns why that cannot be done, undefined where it was */
  into(data: NumericArray): (cell: Cell, at: number) => string | undefined;
  count(cell: Cell): void;
  nulls(): number;
  /** Puts a category in order. */
  settle(): void;
  /** Of a category. */
  labels(): string[] | undefined;
}

export interface EncoderOptions extends Pick<TableOptions, 'missing'> {
  readonly fill?: number | undefined;
  /** Whether numbers are class ids. */
  readonly isClass?: boolean;
}

const NO_VALUE = 'there is no value';

export function columnEncoder(
  column: TableColumn,
  dtype: FeatureDType,
  { missing, fill, isClass = false }: EncoderOptions,
): ColumnEncoder {
  const { type } = column;
  const texts = type.kind === 'category' ? category(column.name) : undefined;
  const mayFill = fill !== undefined && type.kind !== 'tensor';
  let nulls = 0;

  const valueOf = (cell: Cell): number | string => {
    if (isMissing(cell, missing)) {
      if (!mayFill) return NO_VALUE;
      // A category's missing text is a class of its own.
      return texts === undefined ? fill : texts.idOf('');
    }
    if (texts !== undefined)
      return typeof cell === 'object' ? numberOf(cell, dtype) : numberOf(texts.idOf(String(cell)), dtype);
    if (!isClass) return numberOf(cell, dtype);
    const id = numberOf(cell, 'F64');
    const reason = typeof id === 'number' ? notAnId(id) : undefined;
    return reason === undefined ? id : `${reason}; of a regression say --target-kind value`;
  };
  return {
    column,
    isClass,
    mayFill,
    array: (length) => arrayOf(dtype, length),
    into(data) {
      const set = setter(dtype, data);
      const put = (cell: Cell, at: number): string | undefined => {
        const value = valueOf(cell);
        if (typeof value === 'string') return value;
        set(at, value);
        return undefined;
      };
      return type.kind === 'tensor' ? (cell, at) => putTensor(cell, at, type.shape, put) : put;
    },
    count(cell) {
      if (isMissing(cell, missing)) nulls += 1;
    },
    nulls: () => nulls,
    settle: () => texts?.settle(),
    labels: () => texts?.labels(),
  };
}

/** @returns why a nested array is no tensor of the shape */
function putTensor(
  cell: Cell,
  at: number,
  [size, ...rest]: readonly number[],
  put: (cell: Cell, at: number) => string | undefined,
): string | undefined {
  if (size === undefined) return put(cell, at);
  if (isMissing(cell, [])) return NO_VALUE;
  if (!Array.isArray(cell)) return 'it is no array as in the rows before';
  if (cell.length !== size) return `an array of ${cell.length} where those before have ${size}`;
  const each = elementCount(rest);
  for (let i = 0; i < size; i++) {
    const reason = putTensor(cell[i], at + i * each, rest, put);
    if (reason !== undefined) return reason;
  }
  return undefined;
}
