/** The options that say how shards work together, and how what they send is made smaller. */
import { type Command, Option } from 'commander';
import type { TrainRequest } from '../../../../core/contracts/job.ts';
import type { Precision, StrategySpec } from '../../../../core/contracts/strategy.ts';
import { decimal, fraction, wholeNumber } from '../options.ts';
import { given } from './given.ts';

const STRATEGIES: readonly StrategySpec['kind'][] = [
  'local-sgd',
  'all-reduce',
  'diloco',
  'bounded-staleness',
];
const PRECISIONS: readonly Precision[] = ['fp16', 'int8'];

export interface StrategyOptions {
  readonly strategy?: StrategySpec['kind'];
  readonly localSteps?: number;
  readonly optimizerState?: 'average' | 'reset';
  readonly staleness?: number;
  readonly outerRate?: number;
  readonly outerMomentum?: number;
  readonly mergers?: number;
  readonly compress?: Precision;
  readonly topK?: number;
  /** Of `--no-error-feedback` and `--no-momentum-correction`: true where they were not given. */
  readonly errorFeedback: boolean;
  readonly momentumCorrection: boolean;
  readonly download?: Precision;
}

export function withStrategy(command: Command): Command {
  return command
    .addOption(
      new Option('--strategy <name>', 'how shards work together (default: local-sgd)').choices(STRATEGIES),
    )
    .option('--local-steps <n>', 'steps between two synchronisations', wholeNumber(1, 100_000))
    .addOption(
      new Option('--optimizer-state <what>', "of local-sgd: what becomes of the optimizer's").choices([
        'average',
        'reset',
      ]),
    )
    .option('--staleness <n>', 'rounds that bounded-staleness lets overlap', wholeNumber(1, 16))
    .option('--outer-rate <x>', 'learning rate of the outer step', decimal(0, 10))
    .option('--outer-momentum <x>', 'momentum of the outer step', fraction)
    .option('--mergers <n>', 'merge tasks of a round, a slice of the model each', wholeNumber(1, 256))
    .addOption(new Option('--compress <precision>', 'of what shards send').choices(PRECISIONS))
    .option('--top-k <fraction>', 'send only the largest elements, so many of all', decimal(0, 1))
    .option('--no-error-feedback', 'forget what compression lost')
    .option('--no-momentum-correction', 'with --top-k: leave the momentum to the merge')
    .addOption(new Option('--download <precision>', 'of what shards start from').choices(PRECISIONS));
}

/** What was given, and nothing else: the contract has the defaults, and refuses by name what does not go together. */
export function strategy(options: StrategyOptions): Pick<TrainRequest, 'strategy' | 'compression'> {
  const { strategy: kind, localSteps, optimizerState, staleness, mergers } = options;
  const outer = given({ learningRate: options.outerRate, momentum: options.outerMomentum });
  const settings = given({
    localSteps,
    optimizerState,
    staleness,
    mergers,
    ...(Object.keys(outer).length === 0 ? {} : { outer }),
  });
  const isNamed = kind !== undefined || Object.keys(settings).length > 0;
  const topK =
    options.topK === undefined && options.momentumCorrection
      ? undefined
      : given({
          fraction: options.topK,
          momentumCorrection: options.momentumCorrection ? undefined : false,
        });
  const compression = given({
    values: options.compress,
    topK,
    errorFeedback: options.errorFeedback ? undefined : false,
    download: options.download,
  });
  return {
    ...(isNamed ? { strategy: { kind: kind ?? 'local-sgd', ...settings } } : {}),
    ...(Object.keys(compression).length === 0 ? {} : { compression }),
  };
}
