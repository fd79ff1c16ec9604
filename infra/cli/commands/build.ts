import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { Fault } from '../../../core/errors.ts';
import { buildCnn } from '../../../core/onnx/builders/cnn.ts';
import { buildGpt } from '../../../core/onnx/builders/gpt.ts';
import { buildMlp } from '../../../core/onnx/builders/mlp.ts';
import { decodeModel } from '../../../core/onnx/model.ts';
import { signatureOf } from '../../../core/onnx/signature.ts';
import { elementCount } from '../../../core/tensors/tensor.ts';
import { builderOption, type BuilderOptions } from '../builders.ts';
import { count, printJson } from '../output.ts';
import { wholeNumber } from './options.ts';

interface Written {
  readonly json?: boolean;
}

export function buildCommand(): Command {
  const command = new Command('build').description('build a model as an ONNX file, its weights at random');

  writes(command.command('mlp').description('a multilayer perceptron'))
    .requiredOption('--inputs <n>', 'values per row', wholeNumber(1, 1_000_000))
    .addOption(builderOption.hidden().default([128]))
    .addOption(builderOption.classes())
    .action(async (file: string, { inputs, hidden, classes, seed, json }: Mlp & Written) => {
      await write(file, buildMlp({ inputs, hidden: [...hidden], classes, seed }), json);
    });

  writes(command.command('cnn').description('convolutions and pooling, then dense layers'))
    .addOption(builderOption.image().makeOptionMandatory())
    .addOption(builderOption.filters().default([16, 32]))
    .addOption(builderOption.kernel().default(3))
    .addOption(builderOption.hidden().default([64]))
    .addOption(builderOption.classes())
    .option('--flat', 'takes images as flat rows')
    .action(async (file: string, options: Cnn & Written) => {
      const { image, filters, kernel, hidden, classes, flat = false, seed, json } = options;
      const layers = { filters: [...filters], kernel, hidden: [...hidden] };
      await write(file, buildCnn({ input: [...image], ...layers, classes, flat, seed }), json);
    });

  writes(command.command('gpt').description('a decoder-only transformer'))
    .addOption(builderOption.vocabulary().makeOptionMandatory())
    .requiredOption('--context <n>', 'longest sequence', wholeNumber(1, 1_000_000))
    .addOption(builderOption.layers())
    .addOption(builderOption.heads())
    .addOption(builderOption.width())
    .addOption(builderOption.untied())
    .action(async (file: string, options: Gpt & Written) => {
      const { vocabulary, context, layers, heads, width, untied = false, seed, json } = options;
      const model = buildGpt({ vocabulary, context, layers, heads, width, tied: !untied, seed });
      await write(file, model, json);
    });
  return command;
}

type Built<K extends keyof BuilderOptions> = Required<Pick<BuilderOptions, K | 'seed'>>;
type Mlp = Built<'hidden' | 'classes'> & { readonly inputs: number };
type Cnn = Built<'image' | 'filters' | 'kernel' | 'hidden' | 'classes'> & { readonly flat?: boolean };
type Gpt = Built<'vocabulary' | 'layers' | 'heads' | 'width'> & {
  readonly context: number;
  readonly untied?: boolean;
};

function writes(command: Command): Command {
  return command
    .argument('<file.onnx>', 'where to write it')
    .option('--seed <n>', 'of the weights', wholeNumber(0, 0xffff_ffff), 0)
    .option('--json', 'print one JSON value');
}

async function write(file: string, bytes: Uint8Array<ArrayBuffer>, json: boolean | undefined): Promise<void> {
  try {
    await writeFile(file, bytes);
  } catch (cause) {
    throw new Fault('invalid', `${file} cannot be written (${(cause as NodeJS.ErrnoException).code})`, {
      cause,
    });
  }
  const model = decodeModel(bytes);
  const { inputs, outputs } = signatureOf(model);
  const parameters = model.graph.initializer
    .filter(({ dataType, dims }) => dataType === 1 && dims.length > 0)
    .reduce((sum, { dims }) => sum + elementCount(dims), 0);
  if (json === true) return printJson({ file, bytes: bytes.length, parameters, inputs, outputs });
  const described = (tensors: typeof inputs) =>
    tensors.map(({ name, dtype, shape }) => `${name} ${dtype} [${shape.join(', ')}]`).join(', ');
  console.log(`${file}: ${count(parameters)} parameters, ${described(inputs)} → ${described(outputs)}`);
}
