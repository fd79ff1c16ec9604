/** What commands that ask a model have in common: where, with what, and what they demand of the router. */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { REQUEST_HEADERS } from '../../../core/contracts/headers.ts';
import { Fault } from '../../../core/errors.ts';
import { connectStore } from '../connection.ts';
import { type ModelInput, requestOfRow } from '../samples.ts';
import { type DatasetReference, datasetReference } from './dataset-reference.ts';
import { type ConnectionOptions, wholeNumber, withConnection } from './options.ts';

export interface AskingOptions extends ConnectionOptions {
  readonly input?: string;
  readonly data?: DatasetReference;
  readonly row: number;
  readonly release?: number;
  readonly target?: string;
  readonly exclude?: string;
  readonly costCeiling?: string;
  readonly cascade?: string;
  readonly deadline?: number;
}

const ANY = Number.MAX_SAFE_INTEGER;

export const withAsking = (command: Command): Command =>
  withConnection(
    command
      .argument('<model>', 'name of the model')
      .option('--input <file>', 'Open Inference Protocol request as JSON, - for standard input')
      .option('--data <name[@version]>', 'take the input from this dataset, split test', datasetReference)
      .option('--row <n>', 'row of the dataset', wholeNumber(0, ANY), 0)
      .option('--release <n>', 'a certain release (default: channel stable)', wholeNumber(1, ANY))
      .option(
        '--target <where>',
        'where to run: auto, edge, cloud, edge-only, cloud-only, or a target such as edge-fp32',
      )
      .option('--exclude <names>', 'places and targets that must not be asked: cloud-eu,cloud-us')
      .option('--cost-ceiling <amount>', 'millionths of a US dollar that the request may cost')
      .option('--cascade <spec>', 'off, or docs/cascade.md: threshold=0.9')
      .option('--deadline <ms>', 'milliseconds to wait', wholeNumber(1, 600_000)),
  );

/** `/v2/models/{m}`, or with a version. */
export const modelPath = (model: string, { release }: AskingOptions): string =>
  `/v2/models/${encodeURIComponent(model)}${release === undefined ? '' : `/versions/${release}`}`;

/** As they are given: the router knows its targets, and says what is wrong. */
export function demands(
  options: Omit<AskingOptions, keyof ConnectionOptions | 'row'>,
): Record<string, string> {
  const { target, exclude, costCeiling, cascade, deadline } = options;
  const said = { target, exclude, costCeiling, cascade, deadline: deadline?.toString() };
  const headers: Record<string, string> = {};
  for (const name of Object.keys(said) as (keyof typeof said)[]) {
    const value = said[name];
    if (value !== undefined) headers[REQUEST_HEADERS[name]] = value;
  }
  return headers;
}

/**
 * @param inputs what the model reads, asked for where it is needed
 * @returns undefined where neither `--input` nor `--data` is given
 */
export async function givenBody(
  options: AskingOptions,
  inputs: () => Promise<readonly ModelInput[]>,
): Promise<string | undefined> {
  if (options.input !== undefined && options.data !== undefined)
    throw new Fault('invalid', 'only one of --input and --data may be given', { field: 'input' });
  if (options.data !== undefined) {
    const { name, version } = options.data;
    const store = await connectStore(options);
    const where = { dataset: name, version, split: 'test', row: options.row };
    return (await requestOfRow(store, await inputs(), where)).body;
  }
  if (options.input === undefined) return undefined;
  if (options.input === '-') return text(process.stdin);
  try {
    return await readFile(options.input, 'utf8');
  } catch (cause) {
    const message = `--input: ${options.input} cannot be read (${(cause as NodeJS.ErrnoException).code})`;
    throw new Fault('invalid', message, { field: 'input', cause });
  }
}
