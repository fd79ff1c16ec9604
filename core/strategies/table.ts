/** Every strategy there is, by its kind, as what the rounds do. */
import type { TrainSpec } from '../contracts/job.ts';
import type { OptimizerSpec, ScheduleSpec } from '../contracts/optimizer.ts';
import type { StrategySpec } from '../contracts/strategy.ts';
import { EXACT } from '../compression/codec.ts';
import type { Compression } from '../compression/feedback.ts';
import { createOptimizer } from '../optimizers/optimizer.ts';
import { directionStep, meanState } from './merging.ts';
import type { Strategy } from './strategy.ts';

type Rounds = Pick<Strategy, 'localSteps' | 'staleness' | 'sends' | 'slots' | 'merge'> & {
  /** Which the merge applies, by itself: momentum correction moves it to the shards. */
  readonly momentum?: { readonly factor: number; readonly nesterov: boolean };
};
/** As much of a job's spec as a strategy depends on. */
export type Given = Pick<TrainSpec, 'strategy' | 'compression' | 'optimizer' | 'schedule' | 'clipNorm'>;
type Sgd = Extract<OptimizerSpec, { kind: 'sgd' }>;

const CONSTANT: ScheduleSpec = { kind: 'constant', warmupSteps: 0 };
/** The outer optimizer's slots beside a model's tensors of whatever names: `outer.momentum/<name>`. */
const OUTER = 'outer.';

export function strategyOf(given: Given): Strategy {
  const { strategy, compression } = given;
  const usual = roundsOf(given);
  const corrected = correctsMomentum(given) ? roundsOf(withoutMomentum(given)) : usual;
  const momentum = corrected === usual ? undefined : usual.momentum;
  return {
    ...corrected,
    mergers: strategy.mergers,
    compression: compression && compressionOf(compression, momentum),
    download: compression === undefined ? EXACT : { values: compression.download },
  };
}

/** The momentum that the merge of a job's rounds has, 0 where that is not momentum as SGD has it. */
export function mergeMomentum({ strategy, optimizer }: Pick<Given, 'strategy' | 'optimizer'>): number {
  switch (strategy.kind) {
    case 'all-reduce':
      return optimizer.kind === 'sgd' ? optimizer.momentum : 0;
    case 'local-sgd':
      return 0;
    case 'diloco':
    case 'bounded-staleness':
      return strategy.outer.momentum;
  }
}

function correctsMomentum(given: Given): boolean {
  const topK = given.compression?.topK;
  return topK !== undefined && (topK.momentumCorrection ?? true) && mergeMomentum(given) > 0;
}

function withoutMomentum(given: Given): Given {
  const { strategy, optimizer } = given;
  switch (strategy.kind) {
    case 'diloco':
      return { ...given, strategy: { ...strategy, outer: { ...strategy.outer, momentum: 0 } } };
    case 'bounded-staleness':
      return { ...given, strategy: { ...strategy, outer: { ...strategy.outer, momentum: 0 } } };
    case 'all-reduce':
    case 'local-sgd':
      return optimizer.kind === 'sgd'
        ? { ...given, optimizer: { ...optimizer, momentum: 0, nesterov: false } }
        : given;
  }
}

function roundsOf(given: Given): Rounds {
  const { strategy, optimizer, schedule, clipNorm } = given;
  switch (strategy.kind) {
    case 'all-reduce':
      return {
        localSteps: 1,
        staleness: 0,
        sends: 'gradient',
        ...directionStep({ sent: 'gradient', optimizer, schedule, clipNorm }),
        ...(optimizer.kind === 'sgd'
          ? { momentum: { factor: optimizer.momentum, nesterov: optimizer.nesterov } }
          : {}),
      };
    case 'local-sgd': {
      const { localSteps } = strategy;
      if (strategy.optimizerState === 'reset')
        return { ...along(strategy, outer(1, 0, false)), staleness: 0 };
      return { localSteps, staleness: 0, sends: 'state', ...meanState(createOptimizer(optimizer).slots) };
    }
    case 'diloco': {
      const { learningRate, momentum } = strategy.outer;
      return { ...along(strategy, outer(learningRate, momentum, momentum > 0)), staleness: 0 };
    }
    case 'bounded-staleness': {
      const { staleness } = strategy;
      const { learningRate = 1 / (staleness + 1), momentum } = strategy.outer;
      return { ...along(strategy, outer(learningRate, momentum, false)), staleness };
    }
  }
}

const outer = (learningRate: number, momentum: number, nesterov: boolean): Sgd => ({
  kind: 'sgd',
  learningRate,
  momentum,
  nesterov,
  weightDecay: 0,
});

/** Steps of the outer optimizer along the mean change. */
function along({ localSteps }: Extract<StrategySpec, { localSteps: number }>, optimizer: Sgd) {
  return {
    localSteps,
    sends: 'change',
    ...directionStep({ sent: 'change', optimizer, schedule: CONSTANT, prefix: OUTER }),
    momentum: { factor: optimizer.momentum, nesterov: optimizer.nesterov },
  } as const;
}

function compressionOf(
  {
    values,
    topK,
    errorFeedback = values === 'int8' || topK !== undefined,
  }: NonNullable<Given['compression']>,
  momentum: Compression['momentum'],
): Compression | undefined {
  if (values === 'fp32' && topK === undefined) return undefined;
  return { codec: { values, fraction: topK?.fraction }, errorFeedback, momentum };
}
