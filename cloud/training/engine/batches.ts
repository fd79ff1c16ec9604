/** The order in which a shard's rows are trained on, and the batches made of them. Pure in (seed, shard, step). */
import type { Columns } from '../../../core/datasets/columns.ts';
import { Fault } from '../../../core/errors.ts';
import { part } from '../../../core/jobs/schedule.ts';
import { createRandom, permutation } from '../../../core/random.ts';
import { DTYPES, type NumericArray } from '../../../core/tensors/dtypes.ts';
import { elementCount, type TensorValue } from '../../../core/tensors/tensor.ts';

/** Dataset tensor → values, rows first. */
export type Rows = Readonly<Record<string, TensorValue>>;

/** Columns as they are stored, rows first. */
export function rowsOf({ rows, tensors }: Columns): Rows {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { spec, data }]) => {
      return [name, { dtype: spec.dtype, shape: [rows, ...spec.shape], data }];
    }),
  );
}

/** @throws Fault `invalid` where the tensors have different numbers of rows, or none */
export function rowCount(rows: Rows): number {
  const counts = Object.entries(rows).map(([name, { shape }]) => ({ name, count: shape[0] ?? 0 }));
  const [first] = counts;
  if (first === undefined || first.count === 0)
    throw new Fault('invalid', 'there are no rows to train on', { field: 'rows' });
  const other = counts.find((each) => each.count !== first.count);
  if (other !== undefined)
    throw new Fault(
      'invalid',
      `${other.name} has ${other.count} rows, ${first.name} has ${first.count}: they must be as many`,
      { field: `rows.${other.name}` },
    );
  return first.count;
}

export interface BatchPlan {
  readonly rows: number;
  readonly stepsPerEpoch: number;
  readonly seed: number;
  readonly shard: number;
}

/**
 * Step t is batch b = t mod stepsPerEpoch of epoch ⌊t/stepsPerEpoch⌋, whose order is a permutation of its own. The
 * batch is the positions ⌊b·n/S⌋ to ⌊(b+1)·n/S⌋: every row once an epoch, and sizes that differ by one at most, so
 * that no short last batch weighs as much as a full one.
 * @returns the row numbers of a step's batch
 */
export function batchOrder({ rows, stepsPerEpoch, seed, shard }: BatchPlan): (step: number) => Uint32Array {
  if (stepsPerEpoch > rows)
    throw new Fault('invalid', `${rows} rows do not make ${stepsPerEpoch} batches`, {
      field: 'stepsPerEpoch',
    });
  let epoch = -1;
  let order = new Uint32Array(0);
  return (step) => {
    const wanted = Math.floor(step / stepsPerEpoch);
    if (wanted !== epoch) {
      epoch = wanted;
      order = permutation(rows, createRandom(seed, shard, epoch));
    }
    const batch = step % stepsPerEpoch;
    const position = (index: number) => Math.floor((index * rows) / stepsPerEpoch);
    return order.subarray(position(batch), position(batch + 1));
  };
}

/** One of the batches that make a step, and its place among them. */
export interface StepBatch {
  readonly order: Uint32Array;
  readonly index: number;
  readonly of: number;
}

/** A step's rows as `accumulate` batches, or one for each row where it has fewer; sizes differ by one at most. */
export function batchesOf(order: Uint32Array, accumulate: number): StepBatch[] {
  const of = Math.min(accumulate, order.length);
  return Array.from({ length: of }, (_, index) => {
    const { start, end } = part(order.length, of, index);
    return { order: order.subarray(start, end), index, of };
  });
}

/** Copies rows into batches. One buffer per tensor, overwritten by the next call. */
export function batchGatherer(rows: Rows, largest: number): (order: Uint32Array) => Rows {
  const columns = Object.entries(rows).map(([name, { dtype, shape, data }]) => {
    const rowShape = shape.slice(1);
    const width = elementCount(rowShape);
    const buffer: NumericArray = new DTYPES[dtype].array(largest * width);
    return { name, dtype, rowShape, width, source: data, buffer };
  });
  return (order) => {
    const batch: Record<string, TensorValue> = {};
    for (const { name, dtype, rowShape, width, source, buffer } of columns) {
      copyRows(source, buffer, order, width);
      const shape = [order.length, ...rowShape];
      batch[name] = { dtype, shape, data: buffer.subarray(0, order.length * width) };
    }
    return batch;
  };
}

/** Rows longer than this are worth a call of `set` each; shorter ones are copied word by word. */
const LONG_ROW_BYTES = 4096;

function copyRows(source: NumericArray, target: NumericArray, order: Uint32Array, width: number): void {
  // Both are views of one dtype: bytes are copied, whatever they stand for.
  const bytes = width * source.BYTES_PER_ELEMENT;
  const isAligned = bytes % 4 === 0 && source.byteOffset % 4 === 0;
  const unit = isAligned ? 4 : 1;
  const view = ({ buffer, byteOffset, byteLength }: NumericArray) =>
    isAligned
      ? new Uint32Array(buffer, byteOffset, byteLength / 4)
      : new Uint8Array(buffer, byteOffset, byteLength);
  const from = view(source);
  const to = view(target);
  const units = bytes / unit;
  for (let i = 0; i < order.length; i++) {
    const start = order[i]! * units;
    if (bytes > LONG_ROW_BYTES) to.set(from.subarray(start, start + units), i * units);
    else for (let j = 0; j < units; j++) to[i * units + j] = from[start + j]!;
  }
}
