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

export const DatasetSplit = z.strictObject({
  rows: z.int().min(1),
  shards: z.array(DatasetShard).min(1),
});
export type DatasetSplit = z.infer<typeof DatasetSplit>;

/** `datasets/<name>/<version>/manifest.json`. Each shard is a safetensors file with these tensors, rows first. */
export const DatasetManifest = z.strictObject({
  v: V1,
  name: Name,
  version: Ordinal,
  tensors: z.record(Name, DatasetTensor),
  splits: z.record(Name, DatasetSplit),
  createdAt: Timestamp,
});
export type DatasetManifest = z.infer<typeof DatasetManifest>;
