import { z } from 'zod';
import { DTYPE_NAMES } from '../tensors/dtypes.ts';
import { Name, Ordinal, Sha256, Timestamp, V1 } from './primitives.ts';

/** One column: every row has one tensor of this shape. A scalar (a class id) has shape `[]`. */
export const DatasetTensor = z.strictObject({
  dtype: z.enum(DTYPE_NAMES),
  /** Per row, without the row dimension. */
  shape: z.array(z.int().min(1)),
  /** The value a model sees is the stored value divided by this: 255 for 8-bit images scaled to 0…1. */
  divisor: z.number().positive().optional(),
});
export type DatasetTensor = z.infer<typeof DatasetTensor>;

export const DatasetShard = z.strictObject({
  /** Number in {@link datasetShardKey}: shards of a split count from 0 and are in row order. */
  shard: z.int().min(0),
  rows: z.int().min(1),
  bytes: z.int().min(1),
  sha256: Sha256,
});
export type DatasetShard = z.infer<typeof DatasetShard>;

/** Of the stored values of one column (before a divisor), over the rows of one split; float64. */
export const ColumnStatistics = z.strictObject({
  min: z.number(),
  max: z.number(),
  mean: z.number(),
  /** Of the population: the root of the mean squared distance from the mean. */
  std: z.number().min(0),
  /** Rows of each class, by id; for columns of at most 1000 classes. */
  perClass: z.array(z.int().min(0)).optional(),
});
export type ColumnStatistics = z.infer<typeof ColumnStatistics>;

export const DatasetSplit = z.strictObject({
  rows: z.int().min(1),
  shards: z.array(DatasetShard).min(1),
  /** By name of the column. A column without a finite value has none. */
  statistics: z.record(z.string(), ColumnStatistics).optional(),
});
export type DatasetSplit = z.infer<typeof DatasetSplit>;

/** What was imported as one column: a tensor, or one of the elements of each row of it. */
export const DatasetColumn = z.strictObject({
  /** As the file calls it. */
  name: z.string(),
  tensor: Name,
  /** Which element of a row of the tensor it is; left out where it is all of them. */
  element: z.int().min(0).optional(),
  kind: z.enum(['number', 'class']),
  /** Values that were missing and were filled in. */
  nulls: z.int().min(0),
  /** Of a class: ids run from 0 to below it. */
  classes: z.int().min(1).optional(),
  /** Of a class that the file has as text: the text of each id. */
  labels: z.array(z.string()).optional(),
});
export type DatasetColumn = z.infer<typeof DatasetColumn>;

/** Rows that were left out because they could not be read. */
export const LeftOutRows = z.strictObject({
  count: z.int().min(1),
  /** The first of them. */
  first: z.array(z.strictObject({ place: z.string(), reason: z.string() })),
});
export type LeftOutRows = z.infer<typeof LeftOutRows>;

/** `datasets/<name>/<version>/manifest.json`. Each shard is a safetensors file with these tensors, rows first. */
export const DatasetManifest = z.strictObject({
  v: V1,
  name: Name,
  version: Ordinal,
  tensors: z.record(Name, DatasetTensor),
  splits: z.record(Name, DatasetSplit),
  /** Left out in manifests of before there was a schema. */
  columns: z.array(DatasetColumn).optional(),
  leftOut: LeftOutRows.optional(),
  createdAt: Timestamp,
});
export type DatasetManifest = z.infer<typeof DatasetManifest>;
