import { Command } from 'commander';
import { Fault } from '../../../core/errors.ts';
import { signatureOf } from '../../../core/onnx/signature.ts';
import { checkGradients, type CheckResult } from '../gradients/check.ts';
import { parseInputs } from '../gradients/inputs.ts';
import { readJson, readModel } from '../gradients/model.ts';
import { addRange, randomInputs, type Range } from '../gradients/random-inputs.ts';
import { printJson, table } from '../output.ts';
import { decimal, wholeNumber } from './options.ts';

interface GradcheckOptions {
  readonly inputs?: string;
  readonly loss?: string;
  readonly samples: number;
  readonly tolerance: number;
  readonly seed: number;
  readonly range: ReadonlyMap<string, Range>;
  readonly json?: boolean;
}

export function gradcheckCommand(): Command {
  return new Command('gradcheck')
    .description(
      'compare the gradients of an ONNX graph with finite differences; exit code 1 where they disagree',
    )
    .argument('<model.onnx>', 'the graph')
    .option('--inputs <file>', 'JSON with the inputs: {name: {dtype, shape, data}} (default: random ones)')
    .option('--loss <output>', 'output to differentiate (default: the first scalar, or else the first)')
    .option('--samples <n>', 'elements checked of each initializer', wholeNumber(1, 1_000_000), 10)
    .option(
      '--tolerance <x>',
      "error allowed, relative to an initializer's largest gradient",
      decimal(0, 1),
      1e-3,
    )
    .option('--seed <n>', 'of samples and random inputs', wholeNumber(0, 0xffff_ffff), 0)
    .option(
      '--range <name=lo..hi>',
      'of a random input, repeatable (default: integers 0..1)',
      addRange,
      new Map(),
    )
    .option('--json', 'print one JSON value')
    .action(async (path: string, options: GradcheckOptions) => {
      const model = await readModel(path);
      const { inputs: wanted } = signatureOf(model);
      if (options.inputs !== undefined && options.range.size > 0)
        throw new Fault('invalid', '--range is of random inputs: it cannot be given with --inputs', {
          field: 'range',
        });
      const inputs =
        options.inputs === undefined
          ? randomInputs(wanted, options.range, options.seed)
          : parseInputs(await readJson(options.inputs, '--inputs'), wanted);
      const { samples, tolerance, seed } = options;
      const result = await checkGradients({ model, inputs, output: options.loss, samples, tolerance, seed });
      if (options.json === true) printJson(result);
      else print(result);
      if (result.verdict !== 'ok') process.exitCode = 1;
    });
}

function print(result: CheckResult): void {
  const rows = result.initializers.map((each) => [
    each.name,
    `[${each.shape.join(', ')}]`,
    each.checked,
    each.largest.toExponential(2),
    each.error.toExponential(1),
    each.unclear === 0 || each.verdict === 'unclear'
      ? each.verdict
      : `${each.verdict}, ${each.unclear} unclear`,
  ]);
  console.log(table(['INITIALIZER', 'SHAPE', 'CHECKED', 'LARGEST |GRAD|', 'WORST ERROR', 'VERDICT'], rows));
  for (const [name, why] of Object.entries(result.undifferentiable))
    console.log(`no gradient of ${name}: ${why}`);
  const { gradients, single } = result.precision;
  const what = result.isWeighted ? `a random weighted sum of ${result.output}` : result.output;
  const but = single.length === 0 ? '' : `, ${single.join(', ')} in float32`;
  console.log(
    `${what} = ${result.loss.toPrecision(7)}; gradients in ${gradients}, differences in float64${but}`,
  );
  const bad = result.initializers.filter((each) => each.verdict === result.verdict).length;
  const of = `${bad} of ${result.initializers.length} initializers`;
  console.log(result.verdict === 'ok' ? 'the gradients are right' : `${result.verdict}: ${of}`);
}
