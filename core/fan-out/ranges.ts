/** How rows are cut into parts. Pure arithmetic. */
import type { DatasetSplit, DatasetTensor } from '../contracts/dataset.ts';
import { MAX_PARTS } from '../contracts/fan-out.ts';
import { DTYPES } from '../tensors/dtypes.ts';
import type { TensorSpec } from '../tensors/tensor.ts';
import { part, type Range } from '../jobs/schedule.ts';

/** Bytes of tensors that a part may put out: it is held in memory, and JSON and CSV are several times as long. */
const PART_BYTES = 64 * 1024 * 1024;

/**
 * @param shards parts of equal size; default: the dataset's own shards, which are read whole, and pieces of equal size
 * of those whose output would be too large
 */
export function rowRanges(split: DatasetSplit, shards: number | undefined, bytesPerRow: number): Range[] {
  if (shards !== undefined) return even({ start: 0, end: split.rows }, shards);
  const most = Math.max(1, Math.floor(PART_BYTES / Math.max(1, bytesPerRow)));
  const ranges: Range[] = [];
  let start = 0;
  for (const { rows } of split.shards) {
    ranges.push(...even({ start, end: start + rows }, Math.ceil(rows / most)));
    start += rows;
  }
  return ranges.length > MAX_PARTS ? even({ start: 0, end: split.rows }, MAX_PARTS) : ranges;
}

/** @param size of each range but the last */
export function runsOf(total: number, size: number): Range[] {
  const runs = Math.ceil(total / size);
  if (runs > MAX_PARTS) return even({ start: 0, end: total }, MAX_PARTS);
  return Array.from({ length: runs }, (_, i) => ({ start: i * size, end: Math.min(total, (i + 1) * size) }));
}

const even = ({ start, end }: Range, parts: number): Range[] =>
  Array.from({ length: parts }, (_, i) => {
    const cut = part(end - start, parts, i);
    return { start: start + cut.start, end: start + cut.end };
  });

/**
 * A model's outputs as they are for rows of a dataset: symbolic dimensions take the size they have in the inputs.
 * @param mapping model input → dataset tensor
 */
export function boundOutputs(
  { inputs, outputs }: { readonly inputs: readonly TensorSpec[]; readonly outputs: readonly TensorSpec[] },
  tensors: Readonly<Record<string, DatasetTensor>>,
  mapping: Readonly<Record<string, string>>,
): TensorSpec[] {
  const sizes = new Map<string, number>();
  for (const { name, shape } of inputs)
    for (const [axis, dimension] of shape.entries()) {
      const size = tensors[mapping[name] ?? name]?.shape[axis - 1];
      if (axis > 0 && typeof dimension === 'string' && size !== undefined) sizes.set(dimension, size);
    }
  return outputs.map(({ shape, ...rest }) => ({
    ...rest,
    shape: shape.map((dimension, axis) =>
      axis > 0 && typeof dimension === 'string' ? (sizes.get(dimension) ?? dimension) : dimension,
    ),
  }));
}

/** Of one row; dimensions that nobody knows count as 1. */
export function rowBytes(outputs: readonly TensorSpec[]): number {
  const known = (dimension: number | string) => (typeof dimension === 'number' ? dimension : 1);
  return outputs.reduce(
    (sum, { dtype, shape }) =>
      sum + shape.slice(1).reduce((product: number, size) => product * known(size), DTYPES[dtype].bytes),
    0,
  );
}
