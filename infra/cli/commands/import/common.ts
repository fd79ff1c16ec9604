/** What all formats have: options, and the import itself. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { importSource, type ImportProgress, MAX_SHARD_BYTES } from '../../../../core/datasets/import.ts';
import type { DataFile } from '../../../../core/datasets/data-file.ts';
import type { DatasetSource } from '../../../../core/datasets/source.ts';
import { splitFiles, type SplitFiles } from '../../../../core/datasets/sources/split-files.ts';
import { connectStore } from '../../connection.ts';
import { columnTable, describe, leftOut } from '../../datasets/describe.ts';
import { dataFiles } from '../../datasets/files.ts';
import { showImport } from '../../datasets/progress.ts';
import { printJson } from '../../output.ts';
import { decimal, several, stateOption, wholeNumber } from '../options.ts';

const DEFAULT_SHARDS = 4;
const MEGABYTE = 1 << 20;

export interface CommonOptions {
  readonly shards: number;
  readonly shardSize: number;
  readonly skipBadRows?: boolean;
  readonly maxBadRows: number;
  readonly state?: string;
  readonly json?: boolean;
}

export interface DrawOptions {
  readonly testShare: number;
  readonly seed: number;
}

export interface FileOptions {
  readonly file: readonly string[];
  readonly testFile: readonly string[];
}

/** A command of one format, with the options that all have. */
export function formatCommand(format: string, description: string): Command {
  return new Command(format)
    .description(description)
    .argument('<name>', 'name of the dataset')
    .option('--shards <n>', 'files per split', wholeNumber(1, 10_000), DEFAULT_SHARDS)
    .addOption(
      new Option('--shard-size <MB>', 'more files where one would be larger')
        .argParser(wholeNumber(1, 1024))
        .default(MAX_SHARD_BYTES / MEGABYTE),
    )
    .addOption(
      new Option('--max-bad-rows <n>', 'how many rows that cannot be read may be left out')
        .argParser(wholeNumber(0, Number.MAX_SAFE_INTEGER))
        .default(0),
    )
    .addOption(new Option('--skip-bad-rows', 'any number of them').conflicts('maxBadRows'))
    .addOption(stateOption())
    .option('--json', 'print one JSON value');
}

export function withFiles(command: Command, what: string): Command {
  return command
    .addOption(
      new Option('--file <file>', `${what}; may be given several times`)
        .argParser((text: string, earlier: string[] | undefined) => several(text, earlier ?? []))
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--test-file <file>', 'such a file whose rows are held out; else they are drawn')
        .argParser(several)
        .default([], 'none'),
    );
}

/** How the rows that are held out are drawn. */
export function withDraw(command: Command): Command {
  return command
    .option('--test-share <share>', 'share of the rows held out', shareOf, 0.2)
    .option('--seed <n>', 'of the draw', wholeNumber(0, 0xffff_ffff), 0);
}

function shareOf(text: string): number {
  return text.trim() === '0' ? 0 : decimal(0, 0.9)(text);
}

/** `a,b` */
export const list = (text: string): string[] => text.split(',').map((part) => part.trim());

/** Parser of an option `name=value` that may be given more than once. */
export function pairs(text: string, earlier: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [name, value, ...more] = text.split('=');
  if (name === undefined || name === '' || value === undefined || value === '' || more.length > 0)
    throw new InvalidArgumentError('It must be name=value.');
  return { ...earlier, [name]: value };
}

export function numbers(
  text: string,
  earlier: Readonly<Record<string, number>> = {},
): Record<string, number> {
  const [[name, value] = ['', '']] = Object.entries(pairs(text));
  if (!(Number(value) > 0 && Number(value) < Infinity))
    throw new InvalidArgumentError('It must be name=number, a number above 0.');
  return { ...earlier, [name]: Number(value) };
}

export async function filesOf({ file, testFile }: FileOptions): Promise<SplitFiles> {
  return splitFiles((await dataFiles(file)) as [DataFile, ...DataFile[]], await dataFiles(testFile));
}

/** @param open given what shows that bytes are read, for sources that read some before the import */
export async function runImport(
  name: string,
  open: (onProgress: (progress: ImportProgress) => void) => Promise<DatasetSource>,
  options: CommonOptions & Partial<DrawOptions>,
): Promise<void> {
  const store = await connectStore(options.state === undefined ? {} : { state: options.state });
  const progress = showImport(process.stderr, { now: () => performance.now(), quiet: options.json === true });
  try {
    const manifest = await importSource(store, {
      name,
      source: await open(progress.show),
      shards: options.shards,
      shardBytes: options.shardSize * MEGABYTE,
      heldOut: { share: options.testShare ?? 0, seed: options.seed ?? 0 },
      maxBadRows: options.skipBadRows === true ? Infinity : options.maxBadRows,
      now: () => new Date(),
      onProgress: progress.show,
    });
    progress.end();
    if (manifest.leftOut !== undefined) console.error(leftOut(manifest.leftOut));
    if (options.json === true) printJson(manifest);
    else console.log([describe(manifest), columnTable(manifest)].filter((part) => part !== '').join('\n'));
  } finally {
    progress.end();
  }
}
