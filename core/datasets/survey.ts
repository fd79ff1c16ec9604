/** The first reading of a source: can its rows be read, how many are there, and what are its columns. */
import type { DatasetColumn, LeftOutRows } from '../contracts/dataset.ts';
import { Fault } from '../errors.ts';
import { type BadRows, badRows, wanting } from './bad-rows.ts';
import type { Columns } from './columns.ts';
import { goodRows } from './good-rows.ts';
import type { DatasetSource } from './source.ts';

/** Good rows of one batch. */
export interface GoodRows {
  readonly rows: Columns;
  readonly split: string | undefined;
}

export interface Survey {
  /** Good rows: by split where the source says which is which, else of all. */
  readonly rows: number | Readonly<Record<string, number>>;
  readonly columns: readonly DatasetColumn[];
  readonly leftOut: LeftOutRows | undefined;
  /** The second reading. */
  read(onRead: (bytes: number) => void): AsyncIterable<GoodRows>;
}

/**
 * @param allowed how many wrong rows may be left out
 * @throws Fault `invalid` with the first wrong rows, where they are more
 */
export async function survey(
  source: DatasetSource,
  allowed: number,
  onRead: (bytes: number) => void,
): Promise<Survey> {
  const bad = badRows(allowed);
  const highest = new Map<string, number>();
  const rows = source.rows ?? (await count(source, bad, highest, onRead));
  bad.check();
  const counts = typeof rows === 'number' ? { 'the files': rows } : rows;
  const [empty] = Object.entries(counts).find(([, count]) => count === 0) ?? [];
  if (empty !== undefined)
    throw new Fault('invalid', wanting(`there are no rows in ${empty}`, bad.leftOut()), { field: 'rows' });
  const columns = source.settle().map((column): DatasetColumn => {
    if (column.kind === 'number' || column.classes !== undefined) return column;
    return { ...column, classes: (highest.get(column.tensor) ?? 0) + 1 };
  });
  async function* again(onRead: (bytes: number) => void): AsyncGenerator<GoodRows> {
    // Wrong rows were counted before.
    const ignored = badRows(Infinity);
    for await (const batch of source.read(onRead)) {
      const rows = goodRows(batch, ignored);
      if (rows !== undefined) yield { rows, split: batch.split };
    }
  }
  return { rows, columns, leftOut: bad.leftOut(), read: again };
}

/** @returns good rows: by split where batches have one, else of all */
async function count(
  source: DatasetSource,
  bad: BadRows,
  highest: Map<string, number>,
  onRead: (bytes: number) => void,
): Promise<Survey['rows']> {
  const bySplit = Object.fromEntries((source.splits ?? []).map((split) => [split, 0]));
  let all = 0;
  for await (const batch of source.read(onRead)) {
    const rows = goodRows(batch, bad);
    if (rows === undefined) continue;
    all += rows.rows;
    if (batch.split !== undefined) bySplit[batch.split] = (bySplit[batch.split] ?? 0) + rows.rows;
    raise(highest, rows);
  }
  return source.splits === undefined ? all : bySplit;
}

/** Keeps the highest value of what may be class ids: scalars of whole numbers. */
function raise(highest: Map<string, number>, { tensors }: Columns): void {
  for (const [name, { spec, data }] of Object.entries(tensors)) {
    if (spec.shape.length > 0 || spec.dtype === 'F32' || spec.dtype === 'F64') continue;
    let found = highest.get(name) ?? 0;
    for (const value of data) if (value > found) found = Number(value);
    highest.set(name, found);
  }
}
