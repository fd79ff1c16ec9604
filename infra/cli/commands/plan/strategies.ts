/** The strategies that `plan` compares: the one that is named, or each of them with those options that it knows. */
import type { StrategySpec } from '../../../../core/contracts/strategy.ts';
import type { StrategyOptions } from '../train/strategy.ts';

type Kind = StrategySpec['kind'];
type Setting = 'localSteps' | 'optimizerState' | 'staleness' | 'outerRate' | 'outerMomentum';

const SETTINGS: Readonly<Record<Kind, readonly Setting[]>> = {
  'local-sgd': ['localSteps', 'optimizerState'],
  diloco: ['localSteps', 'outerRate', 'outerMomentum'],
  'bounded-staleness': ['localSteps', 'staleness', 'outerRate', 'outerMomentum'],
  'all-reduce': [],
};
const ALL = new Set(Object.values(SETTINGS).flat());
const KINDS = Object.keys(SETTINGS) as Kind[];

/** @returns the options of each job. What local SGD sends can be compressed only without the optimizer's state. */
export function comparedStrategies<Options extends StrategyOptions>(options: Options): readonly Options[] {
  if (options.strategy !== undefined) return [options];
  const { compress, topK, download } = options;
  const isCompressed = compress !== undefined || topK !== undefined || download !== undefined;
  return KINDS.map((kind) => {
    const known = new Set<string>(SETTINGS[kind]);
    const kept = Object.entries(options).filter(([name]) => !ALL.has(name as Setting) || known.has(name));
    const reset = isCompressed && kind === 'local-sgd' ? { optimizerState: 'reset' } : {};
    return { ...(Object.fromEntries(kept) as unknown as Options), strategy: kind, ...reset };
  });
}

/** As short as tells it from the others: `diloco, H 64, int8`. */
export function strategyName({
  strategy,
  compression,
}: {
  readonly strategy: StrategySpec;
  readonly compression?: { readonly values: string; readonly download: string } | undefined;
}): string {
  return [
    strategy.kind,
    ...('localSteps' in strategy ? [`H ${strategy.localSteps}`] : []),
    ...(strategy.kind === 'bounded-staleness' ? [`${strategy.staleness} behind`] : []),
    ...(compression === undefined || compression.values === 'fp32' ? [] : [compression.values]),
  ].join(', ');
}
