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
      .option('--target <where>', 'where to run: auto, edge, cloud, edge-only, or a target such as edge-fp32')
      .option('--deadline <ms>', 'milliseconds to wait', wholeNumber(1, 600_000)),
  );

/** `/v2/models/{m}`, or with a version. */
export const modelPath = (model: string, { release }: AskingOptions): string =>
  `/v2/models/${encodeURIComponent(model)}${release === undefined ? '' : `/versions/${release}`}`;

export const demands = ({ target, deadline }: AskingOptions): Record<string, string> => ({
  ...(target === undefined ? {} : { [REQUEST_HEADERS.target]: target }),
  ...(deadline === undefined ? {} : { [REQUEST_HEADERS.deadline]: String(deadline) }),
});

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
