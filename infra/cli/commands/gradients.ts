import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { Command } from 'commander';
import { Fault } from '../../../core/errors.ts';
import { signatureOf } from '../../../core/onnx/signature.ts';
import { parseInputs } from '../gradients/inputs.ts';
import {
  bindModel,
  gradientsOf,
  readJson,
  readModel,
  type InitializerGradients,
} from '../gradients/model.ts';

interface GradientsOptions {
  readonly inputs: string;
  readonly loss: string;
  readonly out: string;
}

export function gradientsCommand(): Command {
  return new Command('gradients')
    .description('gradient of a scalar output of an ONNX graph for every float initializer')
    .argument('<model.onnx>', 'the graph')
    .requiredOption('--inputs <file>', 'JSON with the inputs: {name: {dtype, shape, data}}')
    .requiredOption('--loss <output>', 'the scalar output to differentiate')
    .requiredOption('--out <file>', 'where the JSON with loss and grads goes; - for standard output')
    .action(async (path: string, options: GradientsOptions) => {
      const model = await readModel(path);
      const inputs = parseInputs(await readJson(options.inputs, '--inputs'), signatureOf(model).inputs);
      const result = await gradientsOf(await bindModel(model, inputs), options.loss, inputs);
      await write(options.out, chunks(result));
      for (const note of notes(result)) console.error(`causeway: ${note}`);
    });
}

/** What somebody who compares tensor by tensor must know, one line each. */
function notes({ gradients, idle, undifferentiable }: InitializerGradients): string[] {
  const infinite = [...gradients].filter(
    ([, { data }]) => !data.every((value) => Number.isFinite(Number(value))),
  );
  return [
    ...(idle.length === 0 ? [] : [`zeros, as the loss does not depend on them: ${idle.join(', ')}`]),
    ...[...undifferentiable].map(([name, why]) => `no gradient of ${name}: ${why}`),
    ...infinite.map(([name]) => `the gradient of ${name} is not finite everywhere: null in the file`),
  ];
}

/** Elements of one write: a string holds half a gigabyte, and large models need more. */
const CHUNK = 65_536;

/** `{"loss": …, "grads": {name: {"shape": […], "data": […]}}}`, piece by piece. */
function* chunks({ loss, gradients }: InitializerGradients): Generator<string> {
  yield `{"loss":${JSON.stringify(loss)},"grads":{`;
  let separator = '';
  for (const [name, { shape, data }] of gradients) {
    yield `${separator}${JSON.stringify(name)}:{"shape":${JSON.stringify(shape)},"data":[`;
    separator = ',';
    for (let from = 0; from < data.length; from += CHUNK) {
      const part = Array.from(data.subarray(from, from + CHUNK), Number);
      yield `${from === 0 ? '' : ','}${JSON.stringify(part).slice(1, -1)}`;
    }
    yield ']}';
  }
  yield '}}\n';
}

async function write(path: string, pieces: Iterable<string>): Promise<void> {
  const stream = path === '-' ? process.stdout : createWriteStream(path);
  try {
    if (path !== '-') await once(stream, 'open');
    for (const piece of pieces) if (!stream.write(piece)) await once(stream, 'drain');
    if (path === '-') return;
    stream.end();
    await once(stream, 'close');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code;
    throw new Fault('invalid', `--out: ${path} cannot be written (${reason})`, { field: 'out', cause });
  }
}
