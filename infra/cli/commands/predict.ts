import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { Command, Option } from 'commander';
import { REQUEST_HEADERS } from '../../../core/contracts/headers.ts';
import { Fault } from '../../../core/errors.ts';
import { connect, connectStore } from '../connection.ts';
import { duration, printJson } from '../output.ts';
import { type ModelInput, requestOfRow } from '../samples.ts';
import { type ConnectionOptions, wholeNumber, withConnection } from './options.ts';

interface PredictOptions extends ConnectionOptions {
  readonly input?: string;
  readonly data?: string;
  readonly row: number;
  readonly release?: number;
  readonly target?: string;
  readonly deadline?: number;
}

const ANY = Number.MAX_SAFE_INTEGER;

export function predictCommand(): Command {
  const command = new Command('predict')
    .description('ask a model through the router')
    .argument('<model>', 'name of the model')
    .option('--input <file>', 'Open Inference Protocol request as JSON, - for standard input')
    .option('--data <name>', 'take the input from this dataset, split test')
    .option('--row <n>', 'row of the dataset', wholeNumber(0, ANY), 0)
    .option('--release <n>', 'a certain release (default: channel stable)', wholeNumber(1, ANY))
    .addOption(new Option('--target <where>', 'where to run').choices(['edge', 'cloud', 'auto']))
    .option('--deadline <ms>', 'milliseconds to wait', wholeNumber(1, 600_000));
  return withConnection(command).action(async (model: string, options: PredictOptions) => {
    const client = await connect(options);
    const version = options.release === undefined ? '' : `/versions/${options.release}`;
    const headers = {
      ...(options.target === undefined ? {} : { [REQUEST_HEADERS.target]: options.target }),
      ...(options.deadline === undefined ? {} : { [REQUEST_HEADERS.deadline]: String(options.deadline) }),
    };
    const path = `/v2/models/${model}${version}`;
    const body = await requestBody(options, () => client.inputs(path));
    const answer = await client.infer(`${path}/infer`, body, headers);
    if (options.json === true) return printJson(answer);
    for (const output of answer.body.outputs) {
      console.log(`${output.name} ${output.datatype} [${output.shape.join(', ')}]`);
      console.log(`  ${output.data.map((value) => Number(value.toPrecision(4))).join('  ')}`);
    }
    console.log(
      `${answer.target} (${answer.reason}, ${answer.variant}) in ${duration(answer.ms / 1000)}; ${answer.serverTiming}`,
    );
  });
}

async function requestBody(
  options: PredictOptions,
  inputs: () => Promise<readonly ModelInput[]>,
): Promise<string> {
  if (options.data !== undefined) {
    const [dataset = '', version] = options.data.split('@');
    const store = await connectStore(options);
    const row = await requestOfRow(store, await inputs(), {
      dataset,
      version,
      split: 'test',
      row: options.row,
    });
    return row.body;
  }
  if (options.input === undefined) throw new Fault('invalid', 'one of --input and --data is needed');
  if (options.input === '-') return text(process.stdin);
  try {
    return await readFile(options.input, 'utf8');
  } catch (cause) {
    const message = `--input: ${options.input} cannot be read (${(cause as NodeJS.ErrnoException).code})`;
    throw new Fault('invalid', message, { field: 'input', cause });
  }
}
