import { Command } from 'commander';
import { expect, it } from 'vitest';
import { OptimizerSpec, ScheduleSpec } from '../../../core/contracts/optimizer.ts';
import {
  optimization,
  type OptimizerOptions,
  withOptimizer,
} from '../../../infra/cli/commands/train/optimizer.ts';

const parse = (line: string) => {
  const command = withOptimizer(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  return optimization(
    command.parse(line.split(' ').filter(Boolean), { from: 'user' }).opts<OptimizerOptions>(),
  );
};

it('asks for Adam and cosine decay where nothing is given, and leaves the rest to the contract', () => {
  expect(parse('')).toEqual({
    optimizer: { kind: 'adam' },
    schedule: { kind: 'cosine' },
    parameters: { freeze: [], weightDecay: [] },
  });
});

it('puts every option where the job spec has it', () => {
  const spec = parse(
    '--optimizer sgd --learning-rate 0.5 --momentum 0.9 --nesterov --weight-decay 0.1 --no-decay *bias --no-decay *norm* ' +
      '--schedule step --warmup 7 --step-every 100 --step-factor 0.5 --clip-norm 2 --accumulate 4 ' +
      '--freeze encoder.* --freeze embed --only *.weight',
  );
  expect(spec).toEqual({
    optimizer: { kind: 'sgd', learningRate: 0.5, momentum: 0.9, nesterov: true, weightDecay: 0.1 },
    schedule: { kind: 'step', warmupSteps: 7, every: 100, factor: 0.5 },
    clipNorm: 2,
    accumulate: 4,
    parameters: {
      train: ['*.weight'],
      freeze: ['encoder.*', 'embed'],
      weightDecay: [
        { match: '*bias', value: 0 },
        { match: '*norm*', value: 0 },
      ],
    },
  });
  expect(() => OptimizerSpec.parse(spec.optimizer)).not.toThrow();
  expect(parse('--schedule linear --floor 0.1').schedule).toEqual({ kind: 'linear', floor: 0.1 });
});

it.each(['adam', 'adamw', 'sgd', 'adagrad', 'lion'])('%s is an optimizer', (name) => {
  expect(() => OptimizerSpec.parse(parse(`--optimizer ${name}`).optimizer)).not.toThrow();
});

it.each(['constant', 'linear', 'cosine', 'step --step-every 5'])('%s is a schedule', (name) => {
  expect(() => ScheduleSpec.parse(parse(`--schedule ${name}`).schedule)).not.toThrow();
});

it('takes a weight decay of zero, for AdamW without it', () => {
  expect(parse('--optimizer adamw --weight-decay 0').optimizer).toEqual({ kind: 'adamw', weightDecay: 0 });
});

it.each(['--optimizer magic', '--clip-norm 0', '--accumulate 0', '--warmup 1.5', '--weight-decay 2'])(
  'refuses %s',
  (line) => {
    expect(() => parse(line)).toThrow();
  },
);
