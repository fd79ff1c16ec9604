/** The options that say what is minimised. */
import { type Command, Option } from 'commander';
import type { DatasetManifest } from '../../../../core/contracts/dataset.ts';
import type { TrainRequest } from '../../../../core/contracts/job.ts';
import { type LossKind, LossSpec } from '../../../../core/contracts/loss.ts';
import { Fault } from '../../../../core/errors.ts';
import { elementCount, type TensorSpec } from '../../../../core/tensors/tensor.ts';
import type { LastLayer } from '../../builders.ts';
import { decimal, wholeNumber } from '../options.ts';

export interface LossOptions {
  readonly loss: LossKind;
  readonly output?: string;
  readonly target: string;
  readonly mask?: string;
  readonly ignoreIndex?: number;
  readonly delta?: number;
}

const LOSSES = LossSpec.options.map(({ shape }) => shape.kind.value);

/** @param otherwise the loss where none is named; null: none */
export function withLoss(command: Command, otherwise: LossKind | null = 'softmax-cross-entropy'): Command {
  const loss = new Option('--loss <name>', 'what to minimise').choices(LOSSES);
  return command
    .addOption(otherwise === null ? loss : loss.default(otherwise))
    .option('--output <name>', 'graph output the loss is taken of (default: the first)')
    .option('--target <tensor>', 'dataset tensor with the truth', 'label')
    .option('--mask <tensor>', 'dataset tensor with the weight of each element')
    .option('--ignore-index <id>', 'class id that does not count', wholeNumber(-(2 ** 31), 2 ** 31))
    .option('--delta <x>', 'of huber: where it becomes linear', decimal(0, Number.MAX_VALUE));
}

/** @throws Fault `invalid` naming an option the loss has no use for */
export function lossSpec(options: LossOptions, outputs: readonly TensorSpec[]): TrainRequest['loss'] {
  const output = options.output ?? outputs[0]?.name ?? '';
  const { loss: kind, target, mask, ignoreIndex, delta } = options;
  const idle = Object.entries({
    mask: mask !== undefined && kind === 'output',
    'ignore-index': ignoreIndex !== undefined && kind !== 'softmax-cross-entropy',
    delta: delta !== undefined && kind !== 'huber',
  }).find(([, isIdle]) => isIdle)?.[0];
  if (idle !== undefined) throw new Fault('invalid', `--${idle}: ${kind} has none`, { field: idle });
  const compared = { output, target, ...(mask === undefined ? {} : { mask }) };
  switch (kind) {
    case 'softmax-cross-entropy':
      return { kind, ...compared, ...(ignoreIndex === undefined ? {} : { ignoreIndex }) };
    case 'huber':
      return { kind, ...compared, ...(delta === undefined ? {} : { delta }) };
    case 'binary-cross-entropy':
    case 'mean-squared-error':
      return { kind, ...compared };
    case 'output':
      return { kind, output };
  }
}

/**
 * The last layer of an MLP that is built for the data; undefined: that of a classifier.
 * @throws Fault `invalid` where the loss leaves it open
 */
export function lastLayer(
  { loss, target }: LossOptions,
  { tensors }: DatasetManifest,
): LastLayer | undefined {
  const width = elementCount(tensors[target]?.shape ?? []);
  switch (loss) {
    case 'softmax-cross-entropy':
      return undefined;
    case 'binary-cross-entropy':
      return { classes: width, activation: 'sigmoid', outputName: 'probabilities' };
    case 'mean-squared-error':
    case 'huber':
      return { classes: width, activation: 'none', outputName: 'values' };
    case 'output':
      throw new Fault('invalid', '--loss output: a graph that computes its loss must be given with --model', {
        field: 'loss',
      });
  }
}
