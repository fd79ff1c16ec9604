/**
 * What datasets are imported from: one interface, an implementation per format in `sources/`. A source is read twice,
 * so that nothing of it has to stay in memory: once to see that its rows can be read and how many there are, once to
 * store them.
 */
import type { DatasetColumn, DatasetTensor } from '../contracts/dataset.ts';
import type { Columns } from './columns.ts';

/** A good many rows, in the order of the source. */
export interface Batch {
  /** Wrong ones included; what their values are does not matter. */
  readonly rows: Columns;
  /** Why a row is wrong, by its number in the batch. */
  readonly wrong: ReadonlyMap<number, string>;
  /** Where a row is in the source, for people: `iris.csv line 7`. */
  placeOf(row: number): string;
  /** One of {@link DatasetSource.splits}; without them rows are drawn. */
  readonly split?: string;
}

export interface DatasetSource {
  /** What one reading is made of, for progress. */
  readonly bytes: number;
  /** The tensors of every batch. */
  readonly tensors: Readonly<Record<string, DatasetTensor>>;
  /** The splits that its files are of; left out, its batches have none. */
  readonly splits?: readonly string[];
  /** By split, where no row can be wrong and the source knows how many there are: it is then read once only. */
  readonly rows?: Readonly<Record<string, number>>;
  /**
   * All rows from the beginning. Two readings give the same rows, but that a first one may number the texts of a
   * category as they come.
   * @param onRead told how many more bytes were read
   * @throws Fault `invalid` naming the file, where it is not of its format at all
   */
  read(onRead: (bytes: number) => void): AsyncIterable<Batch>;
  /**
   * What the file calls its columns. To be asked once a first reading has ended: from then on categories are in order.
   * Of a class whose number of classes is left out, it is counted.
   */
  settle(): readonly DatasetColumn[];
}

export const NO_WRONG: ReadonlyMap<number, string> = new Map();

/** The columns of a source whose tensors are columns as they are. @param classes names of those that are class ids */
export function tensorColumns(tensors: Iterable<string>, classes: ReadonlySet<string>): DatasetColumn[] {
  return Array.from(tensors, (tensor) => {
    return { name: tensor, tensor, kind: classes.has(tensor) ? 'class' : 'number', nulls: 0 } as const;
  });
}

/** A name that a tensor may have, for what a file calls it. */
export function tensorName(column: string): string {
  const name = column
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/gu, '_')
    .replace(/^[._-]+/u, '')
    .slice(0, 63);
  return name === '' ? 'column' : name;
}

/** Rows that make a batch of about a megabyte. */
export function batchRows(rowBytes: number): number {
  return Math.max(1, Math.floor((1 << 20) / rowBytes));
}
