/** JSON Lines (jsonlines.org): one object per line. Empty lines are no rows. */
import { Fault } from '../../errors.ts';
import type { DataFile } from '../data-file.ts';
import { linesOf } from '../lines.ts';
import type { Cell, Table, TableBatch } from '../table/table.ts';
import type { SplitFiles } from './split-files.ts';
import { inSplits } from './split-files.ts';

type Row = Readonly<Record<string, Cell>>;

/** A file's first lines name the columns. */
const SAMPLED_LINES = 1000;

/**
 * @param only columns that are asked for; left out, a field that the first lines do not have makes a row wrong
 * @throws Fault `invalid` where the first lines are no objects
 */
export async function jsonlTable(files: SplitFiles, only?: readonly string[]): Promise<Table> {
  const [file] = files.train;
  const names = await namesOf(file);
  const known = new Set(names);
  const parse = (line: string): Row | string => {
    const row = parseRow(line);
    if (typeof row === 'string' || only !== undefined) return row;
    const other = Object.keys(row).find((name) => !known.has(name));
    return other === undefined ? row : `field ${other} is none of the first lines': ${names.join(', ')}`;
  };
  return {
    name: file.name,
    bytes: files.bytes,
    ...files.named,
    columns: names,
    textual: false,
    read: (onRead) => inSplits(files, (each) => batches(each, names, parse, onRead)),
  };
}

async function* batches(
  file: DataFile,
  names: readonly string[],
  parse: (line: string) => Row | string,
  onRead: (bytes: number) => void,
): AsyncGenerator<TableBatch> {
  for await (const { first, lines } of linesOf(file, onRead)) {
    const rows: Row[] = [];
    const numbers: number[] = [];
    const wrong = new Map<number, string>();
    lines.forEach((line, at) => {
      if (line.trim() === '') return;
      const row = parse(line);
      if (typeof row === 'string') wrong.set(rows.length, row);
      rows.push(typeof row === 'string' ? {} : row);
      numbers.push(first + at);
    });
    yield {
      rows: rows.length,
      cell: (row, column) => rows[row]![names[column]!],
      wrong,
      placeOf: (row) => `${file.name} line ${numbers[row]}`,
    };
  }
}

/** @returns why a line is no row */
function parseRow(line: string): Row | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (thrown) {
    return thrown instanceof Error ? `it is not JSON: ${thrown.message}` : 'it is not JSON';
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Row;
  return 'it is no JSON object';
}

async function namesOf(file: DataFile): Promise<string[]> {
  const names = new Set<string>();
  let seen = 0;
  for await (const { lines } of linesOf(file, () => {})) {
    for (const line of lines) {
      if (line.trim() === '' || ++seen > SAMPLED_LINES) continue;
      const row = parseRow(line);
      if (typeof row !== 'string') for (const name of Object.keys(row)) names.add(name);
    }
    break;
  }
  if (names.size > 0) return [...names];
  throw new Fault('invalid', `${file.name}: its first lines are no JSON objects`);
}
