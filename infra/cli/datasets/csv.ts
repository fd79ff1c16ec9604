/** A CSV file (RFC 4180) with a header line, as a table. */
import { Readable } from 'node:stream';
import { parse as parseCsv, type Parser } from 'csv-parse';
import { chunksOf, type DataFile } from '../../../core/datasets/data-file.ts';
import { inSplits, type SplitFiles } from '../../../core/datasets/sources/split-files.ts';
import { type Table, TABLE_BATCH, type TableBatch } from '../../../core/datasets/table/table.ts';
import { Fault } from '../../../core/errors.ts';

export interface CsvOptions {
  /** One character between cells. */
  readonly delimiter: string;
}

/**
 * Bytes. The parser makes all records of what it is given before it asks whether anybody wants them, and a record of short
 * cells takes some 40 times its bytes: those of a whole chunk would be most of what an import holds.
 */
const PARSED_AT_ONCE = 1 << 16;

interface Line {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

/** @throws Fault `invalid` where a file has no header, or not the first file's */
export async function csvTable(files: SplitFiles, options: CsvOptions): Promise<Table> {
  const [first, ...others] = [...files.train, ...files.test] as [DataFile, ...DataFile[]];
  const columns = await headerOf(first, options);
  for (const file of others) {
    const header = await headerOf(file, options);
    if (header.join('\n') !== columns.join('\n'))
      throw new Fault(
        'invalid',
        `${file.name}: columns ${header.join(', ')}; ${first.name} has ${columns.join(', ')}`,
      );
  }
  return {
    name: first.name,
    bytes: files.bytes,
    ...files.named,
    columns,
    textual: true,
    read: (onRead) => inSplits(files, (file) => batches(file, columns.length, options, onRead)),
  };
}

async function headerOf(file: DataFile, options: CsvOptions): Promise<readonly string[]> {
  for await (const [line] of linesOf(file, options, () => {})) {
    const record = line?.record ?? [];
    const twice = record.find((name, at) => record.indexOf(name) !== at);
    if (twice !== undefined) throw new Fault('invalid', `${file.name}: two columns are called ${twice}`);
    return record;
  }
  throw new Fault('invalid', `${file.name}: it is empty; a header line is needed`);
}

async function* batches(
  file: DataFile,
  width: number,
  options: CsvOptions,
  onRead: (bytes: number) => void,
): AsyncGenerator<TableBatch> {
  let isHeader = true;
  for await (const lines of linesOf(file, options, onRead)) {
    yield batchOf(file, isHeader ? lines.slice(1) : lines, width);
    isHeader = false;
  }
}

function batchOf(file: DataFile, lines: readonly Line[], width: number): TableBatch {
  const wrong = new Map<number, string>();
  lines.forEach(({ record }, row) => {
    if (record.length !== width) wrong.set(row, `${record.length} cells where the header has ${width}`);
  });
  return {
    rows: lines.length,
    cell: (row, column) => lines[row]!.record[column],
    wrong,
    placeOf: (row) => `${file.name} line ${lines[row]!.info.lines}`,
  };
}

/** Records, quoted ones unquoted, a batch at a time. Quotes that do not match leave the rest of a file without meaning. */
async function* linesOf(
  file: DataFile,
  { delimiter }: CsvOptions,
  onRead: (bytes: number) => void,
): AsyncGenerator<readonly Line[]> {
  async function* counted() {
    for await (const chunk of chunksOf(file)) {
      onRead(chunk.length);
      for (let at = 0; at < chunk.length; at += PARSED_AT_ONCE) yield chunk.subarray(at, at + PARSED_AT_ONCE);
    }
  }
  const format = {
    info: true,
    bom: true,
    trim: true,
    delimiter,
    relax_column_count: true,
    skip_empty_lines: true,
    // It is a Transform, and hands its options on: sixteen records at a time would be the default.
    readableHighWaterMark: TABLE_BATCH,
  };
  const parser = parseCsv(format);
  // Errors are asked for when their turn comes; unheard they would end the process.
  parser.on('error', () => {});
  const bytes = Readable.from(counted());
  // pipe does not pass errors on.
  bytes.on('error', (error) => parser.destroy(error));
  bytes.pipe(parser);
  try {
    yield* readAll(parser);
  } catch (thrown) {
    if (thrown instanceof Fault) throw thrown;
    throw new Fault('invalid', `${file.name}: ${thrown instanceof Error ? thrown.message : 'unreadable'}`, {
      cause: thrown,
    });
  } finally {
    bytes.destroy();
    parser.destroy();
  }
}

/** What a parser has ready, at once: a turn of the event loop for each record would cost more than the record. */
async function* readAll(parser: Parser): AsyncGenerator<readonly Line[]> {
  for (;;) {
    const lines: Line[] = [];
    while (lines.length < TABLE_BATCH) {
      const line = parser.read() as Line | null;
      if (line === null) break;
      lines.push(line);
    }
    if (lines.length > 0) yield lines;
    else if (parser.errored !== null) throw parser.errored;
    else if (parser.readableEnded) return;
    else await changeOf(parser);
  }
}

function changeOf(parser: Parser): Promise<void> {
  return new Promise((resolve) => {
    const events = ['readable', 'end', 'error', 'close'];
    const settle = () => {
      for (const event of events) parser.off(event, settle);
      resolve();
    };
    for (const event of events) parser.on(event, settle);
  });
}
