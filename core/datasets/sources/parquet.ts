/**
 * Parquet files as a table, by hyparquet. A file is read in ranges of rows within its row groups: in memory are, of one
 * column at a time, the packed bytes of a row group, and of all columns the values of a range.
 */
import { parquetMetadataAsync, parquetScan, parquetSchema } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { Fault } from '../../errors.ts';
import type { DataFile } from '../data-file.ts';
import type { Cell, Table, TableBatch } from '../table/table.ts';
import { inSplits, type SplitFiles } from './split-files.ts';

/** Values of a range: some 32 MB of doubles. */
const RANGE_VALUES = 1 << 22;
/** Each range makes hyparquet go through the row group's pages again (unless it has a page index): few are better. */
const RANGE_ROWS = { least: 1 << 13, most: 1 << 18 } as const;

function rangeRows(columns: number): number {
  return Math.min(RANGE_ROWS.most, Math.max(RANGE_ROWS.least, Math.floor(RANGE_VALUES / columns)));
}

interface ParquetFile {
  readonly file: DataFile;
  readonly metadata: Awaited<ReturnType<typeof parquetMetadataAsync>>;
  readonly columns: readonly string[];
}

const bufferOf = (file: DataFile) => ({
  byteLength: file.size,
  slice: async (start: number, end = file.size) =>
    (await file.read(start < 0 ? file.size + start : start, Math.min(end, file.size))).buffer,
});

/**
 * @param wanted columns that will be asked for; default all. Others are not read
 * @throws Fault `invalid` naming the file that is none, or has other columns than the first
 */
export async function parquetTable(files: SplitFiles, wanted?: readonly string[]): Promise<Table> {
  const opened = new Map<DataFile, ParquetFile>();
  for (const file of [...files.train, ...files.test]) opened.set(file, await openParquet(file));
  const [first, ...others] = [...opened.values()] as [ParquetFile, ...ParquetFile[]];
  for (const { file, columns } of others)
    if (columns.join('\n') !== first.columns.join('\n'))
      throw new Fault(
        'invalid',
        `${file.name}: columns ${columns.join(', ')}; ${first.file.name} has ${first.columns.join(', ')}`,
      );
  const read = first.columns.filter((name) => wanted === undefined || wanted.includes(name));
  return {
    name: first.file.name,
    bytes: files.bytes,
    ...files.named,
    columns: first.columns,
    textual: false,
    read: (onRead) => inSplits(files, (file) => batches(opened.get(file)!, read, onRead)),
  };
}

async function openParquet(file: DataFile): Promise<ParquetFile> {
  return named(file, async () => {
    const metadata = await parquetMetadataAsync(bufferOf(file));
    return { file, metadata, columns: parquetSchema(metadata).children.map(({ element }) => element.name) };
  });
}

/** hyparquet's own errors, with the file's name before them. */
async function named<T>(file: DataFile, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof Fault) throw thrown;
    throw new Fault('invalid', `${file.name}: ${thrown instanceof Error ? thrown.message : 'unreadable'}`, {
      cause: thrown,
    });
  }
}

async function* batches(
  { file, metadata, columns }: ParquetFile,
  read: readonly string[],
  onRead: (bytes: number) => void,
): AsyncGenerator<TableBatch> {
  const scan = await named(file, () =>
    parquetScan({ file: bufferOf(file), metadata, columns: [...read], compressors }),
  );
  const all = Number(metadata.num_rows);
  const size = rangeRows(read.length);
  let told = 0;
  for (const range of scan.ranges) {
    for (let start = range.rowStart; start < range.rowEnd; start += size) {
      const end = Math.min(range.rowEnd, start + size);
      const values = new Map<string, ArrayLike<unknown>>();
      for (const column of read) {
        const rows = { column, rowStart: start, rowEnd: end };
        values.set(column, await named(file, () => scan.readColumn(rows)));
      }
      const until = Math.round((file.size * end) / all);
      onRead(until - told);
      told = until;
      yield {
        rows: end - start,
        cell: (row, column) => values.get(columns[column]!)?.[row] as Cell,
        wrong: new Map(),
        placeOf: (row) => `${file.name} row ${start + row}`,
      };
    }
  }
}
