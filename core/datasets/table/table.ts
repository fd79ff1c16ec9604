/** Rows of named cells, before anybody decided what they are as numbers: CSV, JSON Lines and Parquet. */

/** Nested arrays are tensors; null and undefined are missing. */
export type Cell = string | number | bigint | boolean | null | undefined | readonly Cell[] | object;

export interface TableBatch {
  readonly rows: number;
  /** @param column its number in {@link Table.columns} */
  cell(row: number, column: number): Cell;
  /** Why a row could not be taken apart, by its number in the batch; such a row has no cells. */
  readonly wrong: ReadonlyMap<number, string>;
  /** Where a row is, for people: `iris.csv line 7`. */
  placeOf(row: number): string;
  /** The split that the row's file is of, where that is given. */
  readonly split?: string;
}

export interface Table {
  /** For messages. */
  readonly name: string;
  readonly bytes: number;
  readonly columns: readonly string[];
  /** Whether numbers are written as text, so that "1.5" is one. */
  readonly textual: boolean;
  /** The splits that its files are of, where that is given. */
  readonly splits?: readonly string[];
  /** All rows from the beginning, every time the same. @throws Fault `invalid` where the file is none of its format */
  read(onRead: (bytes: number) => void): AsyncIterable<TableBatch>;
}

/** Rows of a batch. */
export const TABLE_BATCH = 4096;
