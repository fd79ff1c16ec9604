import { describe, expect, it } from 'vitest';
import { TrainSpec } from '../../../core/contracts/job.ts';
import { OptimizerSpec, ScheduleSpec } from '../../../core/contracts/optimizer.ts';
import { parse } from '../../../core/contracts/parse.ts';

const TRAIN = {
  kind: 'train',
  model: { name: 'm', graph: '0'.repeat(64) },
  dataset: { name: 'd' },
  loss: { kind: 'softmax-cross-entropy', output: 'p', target: 'y' },
};

describe('optimizer', () => {
  it('has the usual values for what is left out', () => {
    expect(parse(TrainSpec, TRAIN)).toMatchObject({
      optimizer: { kind: 'adam', learningRate: 0.001, weightDecay: 0 },
      schedule: { kind: 'constant', warmupSteps: 0 },
      accumulate: 1,
      parameters: { freeze: [], weightDecay: [] },
    });
    expect(OptimizerSpec.parse({ kind: 'adamw' })).toMatchObject({ weightDecay: 0.01, beta2: 0.999 });
    expect(OptimizerSpec.parse({ kind: 'lion' })).toMatchObject({ learningRate: 1e-4, beta2: 0.99 });
    expect(OptimizerSpec.parse({ kind: 'adagrad' })).toMatchObject({ epsilon: 1e-10 });
  });

  it.each([
    [{ optimizer: { kind: 'sgd', nesterov: true } }, 'optimizer.nesterov', /momentum above 0/],
    [{ optimizer: { kind: 'lion', epsilon: 1 } }, 'optimizer.epsilon', /unknown field/],
    [{ optimizer: { kind: 'adamw', weightDecay: -1 } }, 'optimizer.weightDecay', /0/],
    [{ optimizer: { kind: 'adam', epsilon: 0 } }, 'optimizer.epsilon', /1e-37/],
    [{ schedule: 'triangle' }, 'schedule.kind', /./],
    [{ schedule: 'step' }, 'schedule.every', /./],
    [{ schedule: { kind: 'step', every: 5, factor: 2 } }, 'schedule.factor', /1/],
    [{ schedule: { kind: 'constant', floor: 0.1 } }, 'schedule.floor', /unknown field/],
    [{ schedule: { kind: 'cosine', warmupSteps: 1.5 } }, 'schedule.warmupSteps', /int/],
    [{ clipNorm: 0 }, 'clipNorm', /0/],
    [{ accumulate: 0 }, 'accumulate', /1/],
    [{ parameters: { freeze: [''] } }, 'parameters.freeze[0]', /./],
    [{ parameters: { train: [] } }, 'parameters.train', /./],
  ])('%j is refused by field', (change, field, message) => {
    const run = () => parse(TrainSpec, { ...TRAIN, ...change });
    expect(run).toThrow(expect.objectContaining({ code: 'invalid', field }));
    expect(run).toThrow(message);
  });
});

describe('schedule', () => {
  it('is its kind alone, or an object', () => {
    expect(ScheduleSpec.parse('cosine')).toEqual({ kind: 'cosine', warmupSteps: 0, floor: 0 });
    expect(ScheduleSpec.parse({ kind: 'linear', warmupSteps: 3 })).toEqual({
      kind: 'linear',
      warmupSteps: 3,
      floor: 0,
    });
    // What is stored is read again.
    const stored = ScheduleSpec.parse({ kind: 'step', every: 2, factor: 0.5 });
    expect(ScheduleSpec.parse(stored)).toEqual(stored);
  });
});
