/** What is made of a table's columns. */
import type { DType } from '../../tensors/dtypes.ts';

/** BOOL is no dtype of features: a boolean among numbers is 0 or 1. */
export type FeatureDType = Exclude<DType, 'BOOL'>;

export interface TableOptions {
  /** The column to predict; it becomes the tensor `label`. */
  readonly target?: string;
  /** What the target is: a class (an id from 0, or a text that gets one), or any number. */
  readonly targetKind: 'class' | 'value';
  /** The columns to read besides; default all. */
  readonly features?: readonly string[];
  /** Columns to leave. */
  readonly drop: readonly string[];
  /** Columns that are texts to be numbered, though their texts may look like numbers. */
  readonly categories: readonly string[];
  /** Of numeric features. */
  readonly dtype: FeatureDType;
  /** The model sees features divided by it. */
  readonly divisor?: number;
  /** Texts that mean that there is no value; an empty one always does. */
  readonly missing: readonly string[];
  /** What a missing number becomes; left out, a row with one is wrong. */
  readonly fill?: number;
}

export const TABLE_DEFAULTS: TableOptions = {
  targetKind: 'class',
  drop: [],
  categories: [],
  dtype: 'F32',
  missing: [],
};
