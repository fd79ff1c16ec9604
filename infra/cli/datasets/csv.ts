/** A CSV file with a header line: one column is the target, all others are numeric features. */
import { createReadStream } from 'node:fs';
import { parse as parseCsv } from 'csv-parse';
import { type Column, columns, type Columns } from '../../../core/datasets/columns.ts';
import { Fault } from '../../../core/errors.ts';
import { createRandom, permutation } from '../../../core/random.ts';

/** Class ids are kept as I32; more classes than this is more likely a wrong column. */
const MAX_CLASS = 1_000_000;

export interface CsvOptions {
  readonly target: string;
  /** What the target is: the id of a class, or any number. */
  readonly targetKind: 'class' | 'value';
  /** Share of the rows, drawn at random with the seed, that become the test split; 0 < share < 1. */
  readonly testShare: number;
  readonly seed: number;
}

export interface CsvSplits {
  readonly train: Columns;
  readonly test: Columns;
  readonly features: readonly string[];
}

/**
 * @returns per row `features` F32 [columns], and `label` [] which is I32 for a class and F32 for a value
 * @throws Fault `invalid` naming the file, the line and the column of the first wrong value
 */
export async function readCsv(path: string, options: CsvOptions): Promise<CsvSplits> {
  const rows: Float32Array[] = [];
  const labels: number[] = [];
  let features: string[] | undefined;
  const parser = parseCsv({ columns: true, info: true, bom: true, trim: true });
  const file = createReadStream(path);
  // pipe does not pass errors on: without this a missing file would end the process.
  file.on('error', (error) => parser.destroy(error));
  file.pipe(parser);
  try {
    for await (const { record, info } of parser as AsyncIterable<CsvRow>) {
      features ??= featuresOf(path, Object.keys(record), options.target);
      const place = `${path} line ${info.lines}`;
      rows.push(Float32Array.from(features, (name) => numberOf(place, name, record[name] ?? '')));
      const targetOf = options.targetKind === 'class' ? classOf : numberOf;
      labels.push(targetOf(place, options.target, record[options.target] ?? ''));
    }
  } catch (thrown) {
    if (thrown instanceof Fault) throw thrown;
    throw new Fault('invalid', `${path}: ${thrown instanceof Error ? thrown.message : 'unreadable'}`, {
      cause: thrown,
    });
  }
  if (features === undefined || rows.length < 2) {
    throw new Fault('invalid', `${path}: ${rows.length} rows; a header and at least 2 are needed`);
  }
  const order = permutation(rows.length, createRandom(options.seed));
  const testRows = Math.min(rows.length - 1, Math.max(1, Math.round(rows.length * options.testShare)));
  const label = (picked: Uint32Array): Column => {
    const values = Array.from(picked, (row) => labels[row]!);
    return options.targetKind === 'class'
      ? { spec: { dtype: 'I32', shape: [] }, data: Int32Array.from(values) }
      : { spec: { dtype: 'F32', shape: [] }, data: Float32Array.from(values) };
  };
  const gather = (picked: Uint32Array): Columns => {
    const width = features.length;
    const data = new Float32Array(picked.length * width);
    picked.forEach((row, at) => data.set(rows[row]!, at * width));
    return columns({
      features: { spec: { dtype: 'F32', shape: [width] }, data },
      label: label(picked),
    });
  };
  // Ascending, so that rows stay in the file's order within each split.
  return {
    train: gather(order.slice(testRows).sort()),
    test: gather(order.slice(0, testRows).sort()),
    features,
  };
}

interface CsvRow {
  readonly record: Readonly<Record<string, string>>;
  readonly info: { readonly lines: number };
}

function featuresOf(path: string, header: readonly string[], target: string): string[] {
  if (!header.includes(target)) {
    throw new Fault('invalid', `${path}: no column ${target}; it has ${header.join(', ')}`, {
      field: 'target',
    });
  }
  return header.filter((name) => name !== target);
}

function numberOf(place: string, column: string, text: string): number {
  const value = Number(text);
  if (text === '' || !Number.isFinite(value)) {
    throw new Fault('invalid', `${place}, column ${column}: ${JSON.stringify(text)} is no number`);
  }
  return value;
}

function classOf(place: string, column: string, text: string): number {
  const value = numberOf(place, column, text);
  if (!Number.isInteger(value) || value < 0 || value > MAX_CLASS) {
    throw new Fault(
      'invalid',
      `${place}, column ${column}: ${text} is no class id: those are whole numbers from 0; for a regression say --target-kind value`,
    );
  }
  return value;
}
