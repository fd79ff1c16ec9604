/** Files that hold tensors: NumPy, IDX and safetensors. */
import { type Command, Option } from 'commander';
import { idxSource } from '../../../../core/datasets/sources/idx.ts';
import { type NumpyArray, numpyArrays } from '../../../../core/datasets/sources/numpy.ts';
import { safetensorsRows } from '../../../../core/datasets/sources/safetensors.ts';
import { type TensorPart, type TensorRows, tensorSource } from '../../../../core/datasets/sources/tensors.ts';
import { Fault } from '../../../../core/errors.ts';
import { dataFile, dataFiles } from '../../datasets/files.ts';
import {
  type CommonOptions,
  type DrawOptions,
  type FileOptions,
  formatCommand,
  numbers,
  pairs,
  runImport,
  withDraw,
  withFiles,
} from './common.ts';

interface TensorOptions extends CommonOptions, FileOptions, DrawOptions {
  /** Name of the dataset's tensor → name in the file. */
  readonly tensor?: Readonly<Record<string, string>>;
  readonly testTensor?: Readonly<Record<string, string>>;
  readonly target?: string;
  readonly divisor: Readonly<Record<string, number>>;
}

interface IdxOptions extends CommonOptions, DrawOptions {
  readonly images: string;
  readonly labels: string;
  readonly testImages?: string;
  readonly testLabels?: string;
}

export function idxCommand(): Command {
  return withDraw(formatCommand('idx', 'IDX files: images and labels, as MNIST has them'))
    .requiredOption('--images <file>', 'the images')
    .requiredOption('--labels <file>', 'their labels')
    .option('--test-images <file>', 'images that are held out; else they are drawn')
    .option('--test-labels <file>', 'their labels')
    .action(async (name: string, options: IdxOptions) => {
      const { images, labels, testImages, testLabels } = options;
      if ((testImages === undefined) !== (testLabels === undefined))
        throw new Fault('invalid', '--test-images and --test-labels: both are needed, or none');
      const files = async (images: string, labels: string) => {
        return { images: await dataFile(images), labels: await dataFile(labels) };
      };
      const test = testImages === undefined ? undefined : await files(testImages, testLabels ?? '');
      await runImport(name, async () => idxSource(await files(images, labels), test), options);
    });
}

export function numpyCommand(): Command {
  return withTensors(
    withDraw(
      withFiles(
        formatCommand('numpy', 'NumPy arrays, rows first'),
        'a .npz, or an .npy: each array is a tensor',
      ),
    ),
  )
    .addOption(
      new Option('--test-tensor <name=array>', 'an array of the same files that is held out').argParser(
        pairs,
      ),
    )
    .action(async (name: string, options: TensorOptions) => {
      const arrays = (await Promise.all((await dataFiles(options.file)).map(numpyArrays))).flat();
      const held = (await Promise.all((await dataFiles(options.testFile)).map(numpyArrays))).flat();
      const train = await opened(arrays, options.tensor);
      const hasTest = held.length > 0 || options.testTensor !== undefined;
      const test = hasTest
        ? await opened(held.length > 0 ? held : arrays, options.testTensor ?? options.tensor)
        : undefined;
      await importTensors(name, [train], test === undefined ? [] : [test], options);
    });
}

export function safetensorsCommand(): Command {
  return withTensors(
    withDraw(
      withFiles(
        formatCommand('safetensors', 'safetensors, rows first'),
        'a file, or a shard: shards are rows in this order',
      ),
    ),
  ).action(async (name: string, options: TensorOptions) => {
    const read = async (paths: readonly string[]) => {
      const files = await Promise.all((await dataFiles(paths)).map(safetensorsRows));
      return Promise.all(files.map((tensors) => opened(tensors.map(ready), options.tensor)));
    };
    await importTensors(name, await read(options.file), await read(options.testFile), options);
  });
}

function withTensors(command: Command): Command {
  return command
    .optionsGroup('Of the tensors:')
    .addOption(
      new Option(
        '--tensor <name=array>',
        'an array to read and what it is called then (default: all as they are called)',
      ).argParser(pairs),
    )
    .option('--target <tensor>', 'the tensor of class ids: they are checked and counted')
    .addOption(
      new Option('--divisor <tensor=number>', 'the model sees the tensor divided by it')
        .argParser(numbers)
        .default({}, 'none'),
    );
}

const ready = (rows: TensorRows): NumpyArray => ({ name: rows.name, rows: () => Promise.resolve(rows) });

/** The chosen arrays under their new names. */
async function opened(
  arrays: readonly NumpyArray[],
  chosen: Readonly<Record<string, string>> | undefined,
): Promise<TensorRows[]> {
  if (chosen === undefined) return Promise.all(arrays.map((array) => array.rows()));
  return Promise.all(
    Object.entries(chosen).map(async ([name, array]) => {
      const found = arrays.find((each) => each.name === array);
      if (found === undefined)
        throw new Fault(
          'invalid',
          `there is no array ${array}; there are ${arrays.map((each) => each.name).join(', ')}`,
          {
            field: 'tensor',
          },
        );
      return { ...(await found.rows()), name };
    }),
  );
}

async function importTensors(
  name: string,
  train: readonly TensorRows[][],
  test: readonly TensorRows[][],
  options: TensorOptions,
): Promise<void> {
  const isGiven = test.length > 0;
  const parts = [
    ...train.map((tensors): TensorPart => (isGiven ? { tensors, split: 'train' } : { tensors })),
    ...test.map((tensors): TensorPart => ({ tensors, split: 'test' })),
  ];
  const target = options.target === undefined ? {} : { target: options.target };
  const source = tensorSource(parts as [TensorPart, ...TensorPart[]], {
    ...target,
    divisors: options.divisor,
  });
  await runImport(name, () => Promise.resolve(source), options);
}
