/** Rows of one split, collected until they make a shard. */
import type { DatasetTensor } from '../contracts/dataset.ts';
import { DTYPES, type NumericArray } from '../tensors/dtypes.ts';
import { encodeSafetensors } from '../tensors/safetensors.ts';
import { elementCount } from '../tensors/tensor.ts';
import { columns, type Columns } from './columns.ts';

export interface Shard {
  readonly shard: number;
  readonly rows: Columns;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface ShardWriter {
  /** Adds rows `[start, end)`. @returns shards that are complete with them, one by one: store each before the next */
  add(rows: Columns, start: number, end: number): Generator<Shard>;
  /** Rows that have not come yet. */
  missing(): number;
}

export interface ShardPlan {
  readonly tensors: Readonly<Record<string, DatasetTensor>>;
  /** All that will come. */
  readonly rows: number;
  readonly shards: number;
}

export const rowBytesOf = (tensors: Readonly<Record<string, DatasetTensor>>): number =>
  Object.values(tensors).reduce(
    (sum, { dtype, shape }) => sum + DTYPES[dtype].bytes * elementCount(shape),
    0,
  );

/** Sizes of the shards differ by a row at most. Memory: one shard, and its encoding while it is stored. */
export function shardWriter({ tensors, rows: total, shards }: ShardPlan): ShardWriter {
  const border = (shard: number) => Math.floor((shard * total) / shards);
  let shard = 0;
  let written = 0;
  let buffers: Readonly<Record<string, NumericArray>> | undefined;

  const fill = (rows: Columns, start: number, end: number) => {
    const first = border(shard);
    buffers ??= Object.fromEntries(
      Object.entries(tensors).map(([name, { dtype, shape }]) => {
        return [name, new DTYPES[dtype].array((border(shard + 1) - first) * elementCount(shape))];
      }),
    );
    for (const [name, { shape }] of Object.entries(tensors)) {
      const width = elementCount(shape);
      copy(rows.tensors[name]!.data, start * width, end * width, buffers[name]!, (written - first) * width);
    }
    written += end - start;
  };
  const finish = (): Shard => {
    const rows = columns(
      Object.fromEntries(
        Object.entries(tensors).map(([name, spec]) => [name, { spec, data: buffers![name]! }] as const),
      ),
    );
    const encoded = Object.entries(rows.tensors).map(([name, { spec, data }]) => {
      return [name, { dtype: spec.dtype, shape: [rows.rows, ...spec.shape], data }] as const;
    });
    buffers = undefined;
    return { shard: shard++, rows, bytes: encodeSafetensors(new Map(encoded)) };
  };
  return {
    *add(rows, start, end) {
      for (let at = start; at < end;) {
        const until = Math.min(end, at + border(shard + 1) - written);
        fill(rows, at, until);
        at = until;
        if (written === border(shard + 1)) yield finish();
      }
    },
    missing: () => total - written,
  };
}

/** Elements `[start, end)` of one array to `at` of another of the same dtype. */
function copy(source: NumericArray, start: number, end: number, target: NumericArray, at: number): void {
  // A call of `set` costs more than a few elements.
  if (end - start > 16) (target as Uint8Array).set((source as Uint8Array).subarray(start, end), at);
  else for (let i = start; i < end; i++) target[at + i - start] = source[i] as never;
}
