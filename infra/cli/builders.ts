/** The models the command line can build: their options, once for `build` and for `train`. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { DatasetManifest } from '../../core/contracts/dataset.ts';
import { Fault } from '../../core/errors.ts';
import { buildCnn } from '../../core/onnx/builders/cnn.ts';
import { buildGpt } from '../../core/onnx/builders/gpt.ts';
import { buildMlp, type MlpSpec } from '../../core/onnx/builders/mlp.ts';
import { elementCount } from '../../core/tensors/tensor.ts';
import { wholeNumber } from './commands/options.ts';

export const BUILDERS = ['mlp', 'cnn', 'gpt'] as const;
export type BuilderName = (typeof BUILDERS)[number];

export interface BuilderOptions {
  readonly build: BuilderName;
  readonly hidden?: readonly number[];
  readonly classes: number;
  readonly filters?: readonly number[];
  readonly kernel?: number;
  readonly image?: readonly [number, number, number];
  readonly vocabulary?: number;
  readonly layers: number;
  readonly heads: number;
  readonly width: number;
  readonly untied?: boolean;
  readonly seed: number;
}

const size = wholeNumber(1, 1_000_000);
const sizes = (text: string): number[] => text.split(',').map((part) => size(part.trim()));

/** Fresh ones at each call: commander keeps what it is given. */
export const builderOption = {
  hidden: () => new Option('--hidden <sizes>', 'hidden layers, comma-separated').argParser(sizes),
  classes: () => new Option('--classes <n>', 'classes').argParser(wholeNumber(2, 100_000)).default(10),
  filters: () =>
    new Option('--filters <sizes>', 'kernels of each convolution, comma-separated').argParser(sizes),
  kernel: () => new Option('--kernel <n>', 'height and width of the kernels, odd').argParser(size),
  image: () => new Option('--image <c,h,w>', 'channels, height, width of an image').argParser(image),
  vocabulary: () => new Option('--vocabulary <n>', 'tokens there are').argParser(wholeNumber(2, 1_000_000)),
  layers: () => new Option('--layers <n>', 'transformer blocks').argParser(size).default(2),
  heads: () => new Option('--heads <n>', 'attention heads').argParser(size).default(4),
  width: () => new Option('--width <n>', 'width of the transformer').argParser(size).default(64),
  untied: () => new Option('--untied', 'a matrix of its own for the logits, not the token embeddings'),
} as const;

/** All of them, under a heading of their own. */
export function withBuilder(command: Command): Command {
  command
    .optionsGroup('Of the model that is built without --model:')
    .addOption(
      new Option('--build <kind>', 'multilayer perceptron, convolutions or transformer')
        .choices(BUILDERS)
        .default('mlp')
        .conflicts('model'),
    );
  for (const option of Object.values(builderOption)) command.addOption(option());
  return command;
}

function image(text: string): [number, number, number] {
  const [channels, height, width, ...more] = sizes(text);
  if (channels === undefined || height === undefined || width === undefined || more.length > 0)
    throw new InvalidArgumentError('It must be channels,height,width.');
  return [channels, height, width];
}

/** What an MLP that is no classifier ends in. */
export type LastLayer = Pick<MlpSpec, 'classes' | 'activation' | 'outputName'>;

/**
 * The model for a dataset tensor: its input is called as the tensor is. Options have defaults, but for the vocabulary
 * of a transformer.
 * @param last of an MLP; default: the classes of the options
 * @throws Fault `invalid` naming the option that does not fit
 */
export function modelForDataset(
  manifest: DatasetManifest,
  input: string,
  options: BuilderOptions,
  last?: LastLayer,
): Uint8Array<ArrayBuffer> {
  const tensor = manifest.tensors[input];
  if (tensor === undefined) {
    const has = Object.keys(manifest.tensors).join(', ');
    throw new Fault('invalid', `--input: the dataset has no tensor ${input}; it has ${has}`, {
      field: 'input',
    });
  }
  const { shape } = tensor;
  const { seed, classes } = options;
  const hidden = options.hidden === undefined ? {} : { hidden: [...options.hidden] };
  if (last !== undefined && options.build !== 'mlp')
    throw new Fault('invalid', `--build: ${options.build} tells classes; another loss needs mlp or --model`, {
      field: 'build',
    });
  switch (options.build) {
    case 'mlp':
      return buildMlp({
        hidden: [128],
        ...hidden,
        inputs: elementCount(shape),
        classes,
        ...last,
        seed,
        inputName: input,
      });
    case 'cnn':
      return buildCnn({
        ...imageOf(input, shape, options.image),
        ...hidden,
        ...(options.filters === undefined ? {} : { filters: [...options.filters] }),
        ...(options.kernel === undefined ? {} : { kernel: options.kernel }),
        classes,
        seed,
        inputName: input,
      });
    case 'gpt': {
      const [context] = shape;
      if (context === undefined || shape.length !== 1)
        throw new Fault(
          'invalid',
          `--input: ${input} is [${shape.join(', ')}] per row, not a sequence of tokens`,
          {
            field: 'input',
          },
        );
      if (options.vocabulary === undefined)
        throw new Fault('invalid', '--vocabulary: how many tokens there are is missing', {
          field: 'vocabulary',
        });
      const { vocabulary, layers, heads, width, untied = false } = options;
      return buildGpt({ vocabulary, layers, heads, width, context, tied: !untied, seed, inputName: input });
    }
  }
}

/** An image's dimensions as the dataset has them, or as the option says of rows that are flat. */
function imageOf(
  input: string,
  shape: readonly number[],
  given: readonly [number, number, number] | undefined,
): { input: [number, number, number]; flat: boolean } {
  const [channels, height, width] = shape;
  if (
    given === undefined &&
    channels !== undefined &&
    height !== undefined &&
    width !== undefined &&
    shape.length === 3
  )
    return { input: [channels, height, width], flat: false };
  const pixels = elementCount(shape);
  const side = Math.sqrt(pixels);
  const [c, h, w] = given ?? [1, side, side];
  if (
    !Number.isInteger(h) ||
    c * h * w !== pixels ||
    (shape.length !== 1 && shape.join() !== [c, h, w].join())
  )
    throw new Fault(
      'invalid',
      `--image: rows of ${input} are [${shape.join(', ')}]; say their channels,height,width`,
      {
        field: 'image',
      },
    );
  return { input: [c, h, w], flat: shape.length === 1 };
}
