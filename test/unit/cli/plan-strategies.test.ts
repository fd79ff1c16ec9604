import { describe, expect, it } from 'vitest';
import { CompressionSpec, StrategySpec } from '../../../core/contracts/strategy.ts';
import { comparedStrategies, strategyName } from '../../../infra/cli/commands/plan/strategies.ts';
import { strategy, type StrategyOptions } from '../../../infra/cli/commands/train/strategy.ts';

const NONE: StrategyOptions = { errorFeedback: true, momentumCorrection: true };
const specsOf = (options: Partial<StrategyOptions>) =>
  comparedStrategies({ ...NONE, ...options }).map((each) => strategy(each));

describe('the strategies that plan compares', () => {
  it('is the one that is named', () => {
    expect(specsOf({ strategy: 'diloco', localSteps: 9 })).toEqual([
      { strategy: { kind: 'diloco', localSteps: 9 } },
    ]);
  });

  it('is each of them, with the options that it knows', () => {
    const all = specsOf({ localSteps: 9, outerRate: 0.5, staleness: 2, mergers: 3 });
    expect(all).toEqual([
      { strategy: { kind: 'local-sgd', localSteps: 9, mergers: 3 } },
      { strategy: { kind: 'diloco', localSteps: 9, outer: { learningRate: 0.5 }, mergers: 3 } },
      {
        strategy: {
          kind: 'bounded-staleness',
          localSteps: 9,
          staleness: 2,
          outer: { learningRate: 0.5 },
          mergers: 3,
        },
      },
      { strategy: { kind: 'all-reduce', mergers: 3 } },
    ]);
    for (const each of all) expect(StrategySpec.safeParse(each.strategy).success).toBe(true);
  });

  it('lets local SGD send what can be compressed', () => {
    const [local, ...others] = specsOf({ compress: 'int8' });
    expect(local).toEqual({
      strategy: { kind: 'local-sgd', optimizerState: 'reset' },
      compression: { values: 'int8' },
    });
    for (const other of others) expect(other.compression).toEqual({ values: 'int8' });
  });

  it('has a name for each', () => {
    const name = (given: object, compression?: object) =>
      strategyName({
        strategy: StrategySpec.parse(given),
        compression: compression === undefined ? undefined : CompressionSpec.parse(compression),
      });
    expect(name({ kind: 'all-reduce' })).toBe('all-reduce');
    expect(name({ kind: 'diloco', localSteps: 9 }, { values: 'int8' })).toBe('diloco, H 9, int8');
    expect(name({ kind: 'bounded-staleness', staleness: 2 }, { download: 'fp16' })).toBe(
      'bounded-staleness, H 64, 2 behind',
    );
  });
});
