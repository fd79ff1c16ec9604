/**
 * Statistics of a column in one passage: mean and squared deviations of each part, joined by the formula of Chan, Golub
 * & LeVeque 1979 ("Updating formulae and a pairwise algorithm for computing sample variances"), which for parts of one
 * value is Welford's. Float64; the parts are shards, so the figures do not depend on how the file was read.
 */
import type { ColumnStatistics, DatasetColumn } from '../contracts/dataset.ts';
import { elementCount } from '../tensors/tensor.ts';
import type { Columns } from './columns.ts';

/** Of more classes than this the rows of each are not kept. */
const MAX_COUNTED_CLASSES = 1000;

interface Moments {
  count: number;
  min: number;
  max: number;
  mean: number;
  /** Sum of squared deviations from the mean. */
  squares: number;
}

export interface Statistics {
  add(rows: Columns): void;
  result(): Record<string, ColumnStatistics>;
}

export function statistics(columns: readonly DatasetColumn[]): Statistics {
  const all = columns.map((column) => ({
    column,
    moments: empty(),
    perClass:
      (column.classes ?? Infinity) <= MAX_COUNTED_CLASSES ? new Float64Array(column.classes!) : undefined,
  }));
  return {
    add(rows) {
      for (const { column, moments, perClass } of all) {
        const { spec, data } = rows.tensors[column.tensor]!;
        const stride = column.element === undefined ? 1 : elementCount(spec.shape);
        const start = column.element ?? 0;
        join(moments, momentsOf(data, start, stride));
        if (perClass !== undefined)
          for (let i = start; i < data.length; i += stride) perClass[Number(data[i])]! += 1;
      }
    },
    result() {
      const known = all.filter(({ moments }) => moments.count > 0);
      return Object.fromEntries(
        known.map(({ column, moments: { count, min, max, mean, squares }, perClass }) => {
          const counts = perClass === undefined ? {} : { perClass: [...perClass] };
          return [column.name, { min, max, mean, std: Math.sqrt(squares / count), ...counts }];
        }),
      );
    },
  };
}

const empty = (): Moments => ({ count: 0, min: Infinity, max: -Infinity, mean: 0, squares: 0 });

/** Of the finite values of every `stride`-th element. */
function momentsOf(data: ArrayLike<number | bigint>, start: number, stride: number): Moments {
  const moments = empty();
  let sum = 0;
  for (let i = start; i < data.length; i += stride) {
    const value = Number(data[i]);
    if (!Number.isFinite(value)) continue;
    moments.count += 1;
    sum += value;
    if (value < moments.min) moments.min = value;
    if (value > moments.max) moments.max = value;
  }
  moments.mean = moments.count === 0 ? 0 : sum / moments.count;
  for (let i = start; i < data.length; i += stride) {
    const deviation = Number(data[i]) - moments.mean;
    if (Number.isFinite(deviation)) moments.squares += deviation * deviation;
  }
  return moments;
}

function join(into: Moments, part: Moments): void {
  if (part.count === 0) return;
  const count = into.count + part.count;
  const apart = part.mean - into.mean;
  into.squares += part.squares + (apart * apart * into.count * part.count) / count;
  into.mean += (apart * part.count) / count;
  into.min = Math.min(into.min, part.min);
  into.max = Math.max(into.max, part.max);
  into.count = count;
}
