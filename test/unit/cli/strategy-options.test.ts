import { Command } from 'commander';
import { expect, it } from 'vitest';
import { TrainSpec } from '../../../core/contracts/job.ts';
import { strategy, type StrategyOptions, withStrategy } from '../../../infra/cli/commands/train/strategy.ts';
import { trafficLine } from '../../../infra/cli/progress.ts';
import { jobAt } from '../../e2e/dashboard-samples.ts';

const parse = (line: string) => {
  const command = withStrategy(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  const options = command.parse(line.split(' ').filter(Boolean), { from: 'user' }).opts<StrategyOptions>();
  const given = strategy(options);
  // What the contract would refuse is no answer.
  TrainSpec.parse({
    kind: 'train',
    model: { name: 'm', graph: '0'.repeat(64) },
    dataset: { name: 'd' },
    loss: { kind: 'softmax-cross-entropy', output: 'p', target: 'y' },
    ...given,
  });
  return given;
};

it.each([
  ['', {}],
  ['--local-steps 12', { strategy: { kind: 'local-sgd', localSteps: 12 } }],
  [
    '--strategy diloco --local-steps 9 --outer-rate 0.5 --outer-momentum 0.8 --mergers 3',
    {
      strategy: {
        kind: 'diloco',
        localSteps: 9,
        mergers: 3,
        outer: { learningRate: 0.5, momentum: 0.8 },
      },
    },
  ],
  ['--strategy bounded-staleness --staleness 2', { strategy: { kind: 'bounded-staleness', staleness: 2 } }],
  [
    '--optimizer-state reset --compress int8 --no-error-feedback --download fp16',
    {
      strategy: { kind: 'local-sgd', optimizerState: 'reset' },
      compression: { values: 'int8', errorFeedback: false, download: 'fp16' },
    },
  ],
  [
    '--strategy diloco --top-k 0.02 --no-momentum-correction',
    {
      strategy: { kind: 'diloco' },
      compression: { topK: { fraction: 0.02, momentumCorrection: false } },
    },
  ],
])('%j', (line, expected) => expect(parse(line)).toEqual(expected));

it.each(['--strategy hogwild', '--compress int4', '--top-k 2', '--staleness 0', '--mergers 0.5'])(
  'refuses %s',
  (line) => expect(() => parse(line)).toThrow(),
);

it('refuses what belongs to another strategy, by name', () => {
  expect(() => parse('--strategy all-reduce --staleness 2')).toThrow(/staleness/);
});

it('says what a job moved for each epoch', () => {
  expect(trafficLine(jobAt(0))).toBeUndefined();
  // 8 rounds in 2 epochs, 4.885 MB a round.
  expect(trafficLine(jobAt(8))).toBe(
    'moved per epoch: 19.5 MB from shards, 19.5 MB to them; the merges read 19.5 MB and wrote 4.88 MB',
  );
});
