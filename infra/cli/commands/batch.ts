/** `batch`, `evaluate` and `map`: jobs that are split over the fleet and merged again. */
import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { OUTPUT_FORMATS, type OutputFormat } from '../../../core/contracts/fan-out.ts';
import type { JobSpec } from '../../../core/contracts/job.ts';
import type { z } from 'zod';
import { Fault } from '../../../core/errors.ts';
import { VARIANT_NAMES, type VariantName } from '../../../core/registry/variant-names.ts';
import { putBlob } from '../../../core/storage/blobs.ts';
import { connect, connectStore } from '../connection.ts';
import { downloadOutput } from '../download.ts';
import { fanOutLine, fanOutOutcome } from '../fan-out.ts';
import { makeFolder } from '../folder.ts';
import { count, printJson } from '../output.ts';
import { type DatasetReference, datasetReference } from './dataset-reference.ts';
import { type ConnectionOptions, several, wholeNumber, withConnection } from './options.ts';
import { type LimitOptions, limitsOf, withLimits } from './train/limits.ts';
import { type LossOptions, lossSpec, withLoss } from './train/loss.ts';

type Request = z.input<typeof JobSpec>;

interface JobOptions extends ConnectionOptions, LimitOptions {
  readonly detach?: boolean;
  readonly to?: string;
}

interface ModelOptions {
  readonly release?: number;
  readonly channel?: string;
  readonly variant?: VariantName;
}

interface RowOptions extends ModelOptions {
  readonly data: DatasetReference;
  readonly split: string;
  readonly input: readonly string[];
  readonly shards?: number;
}

const ORDINAL = wholeNumber(1, Number.MAX_SAFE_INTEGER);

export function batchCommand(): Command {
  const command = overRows(new Command('batch'))
    .description('predict every row of a dataset on the fleet')
    .option('--outputs <names>', 'model outputs to keep, comma-separated (default: all)')
    .option('--batch-size <n>', 'rows of one run of the model', wholeNumber(1, 65_536))
    .addOption(new Option('--format <name>', 'of the files').choices(OUTPUT_FORMATS).default('safetensors'));
  return asJob(command, true).action(
    async (
      model: string,
      options: JobOptions &
        RowOptions & {
          readonly outputs?: string;
          readonly batchSize?: number;
          readonly format: OutputFormat;
        },
    ) => {
      const { outputs, batchSize, format } = options;
      await runJob(options, {
        kind: 'batch',
        ...rows(model, options),
        ...(options.shards === undefined ? {} : { shards: options.shards }),
        ...(outputs === undefined ? {} : { outputs: outputs.split(',').map((name) => name.trim()) }),
        ...(batchSize === undefined ? {} : { batchSize }),
        format,
      });
    },
  );
}

export function evaluateCommand(): Command {
  const command = overRows(new Command('evaluate')).description(
    'metrics of a release on a dataset, by the loss it was trained with or another',
  );
  // Here it has no default: a loss that is left out is the release's own.
  const judged = withLoss(command, null);
  return asJob(judged, false).action(
    async (model: string, options: JobOptions & RowOptions & Partial<LossOptions>) => {
      const { loss, output, target = 'label' } = options;
      if (loss !== undefined && output === undefined)
        throw new Fault('invalid', '--output: the model output that --loss is taken of is missing', {
          field: 'output',
        });
      await runJob(options, {
        kind: 'evaluate',
        ...rows(model, options),
        ...(options.shards === undefined ? {} : { shards: options.shards }),
        ...(loss === undefined ? {} : { loss: lossSpec({ ...options, loss, target }, []) }),
      });
    },
  );
}

export function mapCommand(): Command {
  const command = new Command('map').description('apply a function to every line of a JSON Lines file');
  const predict = ofModel(command.command('predict'))
    .description('a model to one row a line: {"<input>": numbers}')
    .option('--batch-size <n>', 'most items of one run of the model', wholeNumber(1, 65_536));
  asJob(withItems(predict), true).action(
    async (model: string, options: JobOptions & ModelOptions & ItemOptions & { batchSize?: number }) => {
      const { batchSize } = options;
      await mapItems(options, {
        kind: 'predict',
        model: reference(model, options),
        ...(batchSize === undefined ? {} : { batchSize }),
      });
    },
  );
  const evaluate = overRows(command.command('evaluate')).description(
    'metrics, with what a line changes: {"model": {"name": …, "release": n}}, {"dataset": …}, {"split": …}',
  );
  asJob(withItems(evaluate), true).action(
    async (model: string, options: JobOptions & RowOptions & ItemOptions) => {
      await mapItems(options, { kind: 'evaluate', ...rows(model, options) });
    },
  );
  return command;
}

interface ItemOptions {
  readonly items: string;
  readonly itemsPerPart?: number;
}

function withItems(command: Command): Command {
  return command
    .requiredOption('--items <file>', 'JSON Lines, one item a line')
    .option('--items-per-part <n>', 'items that one function does', wholeNumber(1, 100_000));
}

async function mapItems(
  options: JobOptions & ItemOptions,
  applied: Extract<Request, { kind: 'map' }>['function'],
): Promise<void> {
  const { items, itemsPerPart } = options;
  const bytes = await readFile(items).catch((cause: NodeJS.ErrnoException) => {
    throw new Fault('invalid', `--items: ${items} cannot be read (${cause.code})`, { field: 'items', cause });
  });
  const store = await connectStore(options);
  await runJob(options, {
    kind: 'map',
    function: applied,
    items: { blob: await putBlob(store, new Uint8Array(bytes)) },
    ...(itemsPerPart === undefined ? {} : { itemsPerPart }),
  });
}

function ofModel(command: Command): Command {
  return command
    .argument('<model>', 'name of the model')
    .option('--release <n>', 'a certain release (default: the one the channel points to)', ORDINAL)
    .addOption(new Option('--channel <name>', 'channel (default: stable)').conflicts('release'))
    .addOption(new Option('--variant <name>', 'file of the release').choices(VARIANT_NAMES));
}

function overRows(command: Command): Command {
  return ofModel(command)
    .requiredOption('--data <name[@version]>', 'dataset', datasetReference)
    .option('--split <name>', 'part of the dataset', 'test')
    .option('--input <input=tensor>', 'dataset tensor a model input reads; again for each', several, [])
    .option('--shards <n>', 'parts of equal size (default: those of the dataset)', wholeNumber(1, 10_000));
}

function asJob(command: Command, hasFiles: boolean): Command {
  if (hasFiles) command.option('--to <folder>', 'download the files when the job is done');
  return withConnection(withLimits(command.option('--detach', 'do not wait for the end')));
}

const reference = (name: string, { release, channel, variant }: ModelOptions) => ({
  name,
  ...(release === undefined ? {} : { release }),
  ...(channel === undefined ? {} : { channel }),
  ...(variant === undefined ? {} : { variant }),
});

function rows(model: string, options: RowOptions) {
  const inputs = options.input.map((text) => {
    const at = text.lastIndexOf('=');
    if (at < 1) throw new Fault('invalid', `--input: ${text} is not input=tensor`, { field: 'input' });
    return [text.slice(0, at), text.slice(at + 1)] as const;
  });
  return {
    model: reference(model, options),
    dataset: options.data,
    split: options.split,
    inputs: Object.fromEntries(inputs),
  };
}

async function runJob(options: JobOptions, spec: Request): Promise<void> {
  if (options.to !== undefined && options.detach !== true) await makeFolder('to', options.to);
  const { any } = await connect(options);
  const { job } = await any.createJob({ ...spec, ...limitsOf(options) });
  if (options.detach === true) {
    if (options.json === true) printJson(await any.job(job));
    else console.log(job);
    return;
  }
  const silent = options.json === true;
  if (!silent) console.log(`job ${job}`);
  const live = process.stdout.isTTY;
  await any.follow(job, (view) => {
    if (silent || view.kind === 'train') return;
    process.stdout.write(live ? `\r\u001b[K${fanOutLine(view)}` : `${fanOutLine(view)}\n`);
  });
  const ended = await any.job(job);
  if (ended.kind === 'train' || ended.result === null) throw new Fault('internal', `${job} has no result`);
  const { result } = ended;
  if (silent) printJson(result);
  else console.log(`${live ? '\n' : ''}${fanOutOutcome(ended.kind, result)}`);
  if (result.status !== 'succeeded') process.exitCode = 1;
  else if (options.to !== undefined) await download(options, job, options.to);
}

export async function download(options: ConnectionOptions, job: string, folder: string): Promise<void> {
  const live = options.json !== true && process.stderr.isTTY;
  const manifest = await downloadOutput(await connectStore(options), job, folder, (done, total) => {
    if (live) process.stderr.write(`\rfile ${done}/${total}${done === total ? '\n' : ''}`);
  });
  if (options.json === true) printJson(manifest);
  else console.log(`${count(manifest.rows)} rows in ${manifest.shards.length} files of ${folder}`);
}
