/** Tables: CSV, JSON Lines and Parquet. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { jsonlTable } from '../../../../core/datasets/sources/jsonl.ts';
import { parquetTable } from '../../../../core/datasets/sources/parquet.ts';
import type { SplitFiles } from '../../../../core/datasets/sources/split-files.ts';
import { tableSource } from '../../../../core/datasets/sources/table.ts';
import type { FeatureDType, TableOptions } from '../../../../core/datasets/table/options.ts';
import type { Table } from '../../../../core/datasets/table/table.ts';
import { DTYPE_NAMES } from '../../../../core/tensors/dtypes.ts';
import { csvTable } from '../../datasets/csv.ts';
import { decimal } from '../options.ts';
import {
  type CommonOptions,
  type DrawOptions,
  type FileOptions,
  filesOf,
  formatCommand,
  list,
  runImport,
  withDraw,
  withFiles,
} from './common.ts';

type Options = CommonOptions & FileOptions & DrawOptions & TableOptions;

const FEATURE_DTYPES = DTYPE_NAMES.filter((dtype): dtype is FeatureDType => dtype !== 'BOOL');

export function csvCommand(): Command {
  return tableCommand('csv', 'CSV files with a header: numbers, and texts that become class ids')
    .addOption(
      new Option('--delimiter <character>', 'between cells; "tab" is one too')
        .argParser(character)
        .default(','),
    )
    .action(async (name: string, options: Options & { readonly delimiter: string }) => {
      await importTable(name, options, (files) => csvTable(files, options));
    });
}

export function jsonlCommand(): Command {
  return tableCommand(
    'jsonl',
    'JSON Lines: one object per line; nested arrays of numbers become tensors',
  ).action(async (name: string, options: Options) => {
    await importTable(name, options, (files) => jsonlTable(files, wanted(options)));
  });
}

export function parquetCommand(): Command {
  return tableCommand('parquet', 'Parquet files; lists of numbers become tensors').action(
    async (name: string, options: Options) => {
      await importTable(name, options, (files) => parquetTable(files, wanted(options)));
    },
  );
}

function tableCommand(format: string, description: string): Command {
  const command = withDraw(withFiles(formatCommand(format, description), 'the file'));
  return command
    .optionsGroup('Of the columns:')
    .option('--target <column>', 'the column to predict, stored as tensor label')
    .addOption(
      new Option('--target-kind <kind>', 'class ids or texts, or values of a regression')
        .choices(['class', 'value'])
        .default('class'),
    )
    .addOption(
      new Option(
        '--features <columns>',
        'the columns to read besides, comma-separated (default: all)',
      ).argParser(list),
    )
    .addOption(
      new Option('--drop <columns>', 'columns to leave, comma-separated').argParser(list).default([], 'none'),
    )
    .addOption(
      new Option('--categories <columns>', 'columns of texts that look like numbers, comma-separated')
        .argParser(list)
        .default([], 'none'),
    )
    .addOption(
      new Option('--dtype <dtype>', 'element type of the features').choices(FEATURE_DTYPES).default('F32'),
    )
    .addOption(
      new Option('--divisor <number>', 'the model sees features divided by it').argParser(
        decimal(0, Number.MAX_VALUE),
      ),
    )
    .addOption(
      new Option('--missing <texts>', 'texts that mean no value, comma-separated; an empty one always does')
        .argParser(list)
        .default([], 'none'),
    )
    .addOption(
      new Option(
        '--fill <number>',
        'what a missing feature becomes (default: a row with one is wrong)',
      ).argParser(number),
    );
}

async function importTable(
  name: string,
  options: Options,
  open: (files: SplitFiles) => Promise<Table>,
): Promise<void> {
  await runImport(name, async () => tableSource(await open(await filesOf(options)), options), options);
}

/** The columns that were asked for by name; undefined where it is all but some. */
function wanted({ features, target, drop, categories }: TableOptions): string[] | undefined {
  if (features === undefined) return undefined;
  return [...new Set([...features, ...drop, ...categories, ...(target === undefined ? [] : [target])])];
}

function character(text: string): string {
  if (text === 'tab') return '\t';
  if (text.length !== 1) throw new InvalidArgumentError('It must be one character.');
  return text;
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It must be a number.');
  return value;
}
