/** The options that say how parameters are updated, and which. */
import { type Command, Option } from 'commander';
import type { TrainRequest } from '../../../../core/contracts/job.ts';
import type { OptimizerSpec, ScheduleSpec } from '../../../../core/contracts/optimizer.ts';
import { decimal, fraction, several, wholeNumber } from '../options.ts';
import { given } from './given.ts';

const OPTIMIZERS: readonly OptimizerSpec['kind'][] = ['adam', 'adamw', 'sgd', 'adagrad', 'lion'];
const SCHEDULES: readonly ScheduleSpec['kind'][] = ['constant', 'linear', 'cosine', 'step'];

export interface OptimizerOptions {
  readonly optimizer: OptimizerSpec['kind'];
  readonly learningRate?: number;
  readonly momentum?: number;
  readonly nesterov?: boolean;
  readonly weightDecay?: number;
  /** Of `--no-decay`, which commander takes for the negation of an option `--decay`. */
  readonly decay: readonly string[];
  readonly schedule: ScheduleSpec['kind'];
  readonly warmup?: number;
  readonly floor?: number;
  readonly stepEvery?: number;
  readonly stepFactor: number;
  readonly clipNorm?: number;
  readonly accumulate?: number;
  readonly freeze: readonly string[];
  readonly only: readonly string[];
}

export function withOptimizer(command: Command): Command {
  const patterns = (flags: string, description: string) =>
    new Option(`${flags} <pattern>`, `${description}; may be given more than once`)
      .argParser(several)
      .default([], 'none');
  return command
    .addOption(new Option('--optimizer <name>', 'optimizer').choices(OPTIMIZERS).default('adam'))
    .option('--learning-rate <x>', 'learning rate (default: the usual one of the optimizer)', decimal(0, 10))
    .option('--momentum <x>', 'momentum of sgd', fraction)
    .option('--nesterov', "sgd with Nesterov's momentum")
    .option('--weight-decay <x>', 'weight decay (default: 0.01 for adamw, else none)', fraction)
    .addOption(patterns('--no-decay', 'parameters without weight decay, such as "*bias"'))
    .addOption(
      new Option('--schedule <name>', 'learning rate over the job').choices(SCHEDULES).default('cosine'),
    )
    .option('--warmup <steps>', 'steps through which the rate rises first', wholeNumber(0, 10_000_000))
    .option('--floor <fraction>', 'of the rate, where linear and cosine end', fraction)
    .option('--step-every <steps>', 'steps between two falls of schedule step', wholeNumber(1, 1_000_000_000))
    .option('--step-factor <x>', 'what the rate is multiplied by at each', decimal(0, 1), 0.1)
    .option('--clip-norm <x>', 'scale gradients down to this norm', decimal(0, Number.MAX_VALUE))
    .option('--accumulate <n>', 'batches to an optimizer step', wholeNumber(1, 65_536))
    .addOption(patterns('--freeze', 'parameters to leave as they are'))
    .addOption(patterns('--only', 'parameters to train, and no others'));
}

type Optimization = Pick<TrainRequest, 'optimizer' | 'schedule' | 'clipNorm' | 'accumulate' | 'parameters'>;

/**
 * What was given, and nothing else: the contract has the defaults, and refuses by name what does not go together.
 */
export function optimization(options: OptimizerOptions): Optimization {
  const { schedule, stepEvery, stepFactor, clipNorm, accumulate, only } = options;
  return given({
    optimizer: given({
      kind: options.optimizer,
      learningRate: options.learningRate,
      momentum: options.momentum,
      nesterov: options.nesterov,
      weightDecay: options.weightDecay,
    }),
    schedule: given({
      kind: schedule,
      warmupSteps: options.warmup,
      floor: options.floor,
      ...(schedule === 'step' ? { every: stepEvery, factor: stepFactor } : {}),
    }),
    clipNorm,
    accumulate,
    parameters: given({
      train: only.length === 0 ? undefined : only,
      freeze: options.freeze,
      weightDecay: options.decay.map((match) => ({ match, value: 0 })),
    }),
  });
}
