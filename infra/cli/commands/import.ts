import { Command, Option } from 'commander';
import type { Columns } from '../../../core/datasets/columns.ts';
import { importDataset } from '../../../core/datasets/import.ts';
import { connectStore } from '../connection.ts';
import { readCsv } from '../datasets/csv.ts';
import { describe } from '../datasets/describe.ts';
import { readIdx } from '../datasets/idx.ts';
import { readText, type TextOptions } from '../datasets/text.ts';
import { printJson } from '../output.ts';
import { decimal, stateOption, wholeNumber } from './options.ts';

const DEFAULT_SHARDS = 4;

interface CommonOptions {
  readonly shards: number;
  readonly state?: string;
  readonly json?: boolean;
}

export function importCommand(): Command {
  const command = new Command('import').description('import a dataset as sharded safetensors');

  common(command.command('idx').description('IDX files: images and labels, as MNIST has them'))
    .requiredOption('--images <file>', 'training images')
    .requiredOption('--labels <file>', 'training labels')
    .requiredOption('--test-images <file>', 'held-out images')
    .requiredOption('--test-labels <file>', 'held-out labels')
    .action(async (name: string, options: CommonOptions & IdxOptions) => {
      const [train, test] = await Promise.all([
        readIdx({ images: options.images, labels: options.labels }),
        readIdx({ images: options.testImages, labels: options.testLabels }),
      ]);
      await store(name, { train, test }, options);
    });

  common(command.command('csv').description('a CSV file with a header: numeric features and a target'))
    .requiredOption('--file <file>', 'the CSV file')
    .requiredOption('--target <column>', 'the column to predict')
    .addOption(
      new Option('--target-kind <kind>', 'class ids, or values of a regression')
        .choices(['class', 'value'])
        .default('class'),
    )
    .option('--test-share <share>', 'share of the rows held out', decimal(0, 0.9), 0.2)
    .option('--seed <n>', 'of the split', wholeNumber(0, 0xffff_ffff), 0)
    .action(async (name: string, options: CommonOptions & CsvOptions) => {
      const { train, test } = await readCsv(options.file, options);
      await store(name, { train, test }, options);
    });

  common(command.command('text').description('a text file: rows of tokens, and of the tokens after them'))
    .requiredOption('--file <file>', 'the text, UTF-8')
    .option('--tokenizer <file>', "llama2.c's tokenizer.bin (default: each byte is a token)")
    .option('--length <n>', 'tokens of one row', wholeNumber(1, 65_536), 128)
    .option('--test, --test-share <share>', 'share of the text held out, from its end', decimal(0, 0.9), 0.1)
    .action(async (name: string, options: CommonOptions & TextOptions & { readonly file: string }) => {
      const { train, test } = await readText(options.file, options);
      await store(name, { train, test }, options);
    });

  return command;
}

interface IdxOptions {
  readonly images: string;
  readonly labels: string;
  readonly testImages: string;
  readonly testLabels: string;
}

interface CsvOptions {
  readonly file: string;
  readonly target: string;
  readonly targetKind: 'class' | 'value';
  readonly testShare: number;
  readonly seed: number;
}

function common(command: Command): Command {
  return command
    .argument('<name>', 'name of the dataset')
    .option('--shards <n>', 'files per split', wholeNumber(1, 10_000), DEFAULT_SHARDS)
    .addOption(stateOption())
    .option('--json', 'print one JSON value');
}

async function store(
  name: string,
  splits: Readonly<Record<string, Columns>>,
  { shards, state, json }: CommonOptions,
): Promise<void> {
  const bucket = await connectStore(state === undefined ? {} : { state });
  const progress = json !== true && process.stderr.isTTY;
  const manifest = await importDataset(bucket, {
    name,
    splits,
    shards,
    now: () => new Date(),
    onProgress: (done, total) => {
      if (progress) process.stderr.write(`\rwriting shard ${done}/${total}${done === total ? '\n' : ''}`);
    },
  });
  if (json === true) printJson(manifest);
  else console.log(describe(manifest));
}
