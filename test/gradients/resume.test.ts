/** Training goes on from a checkpoint, or from an exported model, as if it had never stopped: to the bit. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inferTypes } from '../../cloud/adapters/onnxruntime-types.ts';
import { localSteps, type LocalStepsRequest } from '../../cloud/training/engine/local-steps.ts';
import { loadProgram, type TrainingProgram } from '../../cloud/training/engine/program.ts';
import {
  buildTrainingGraph,
  parameterValues,
  type TrainingGraph,
  type TrainingRequest,
} from '../../core/autodiff/training-graph.ts';
import { OptimizerSpec, ScheduleSpec } from '../../core/contracts/optimizer.ts';
import { ParametersSpec } from '../../core/contracts/parameters.ts';
import { chooseParameters, elementDecay, withWeightDecay } from '../../core/jobs/parameters.ts';
import { decodeState, encodeState } from '../../core/jobs/state.ts';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { withInitializers } from '../../core/onnx/initializers.ts';
import { decodeModel, encodeModel, type Model } from '../../core/onnx/model.ts';
import { tensorValue } from '../../core/onnx/tensor.ts';
import { createOptimizer } from '../../core/optimizers/optimizer.ts';
import { createRandom } from '../../core/random.ts';

const FEATURES = 6;
const CLASSES = 3;
const ROWS = 50;
const STEPS = 12;
const FORWARD = decodeModel(
  buildMlp({ inputs: FEATURES, hidden: [5], classes: CLASSES, seed: 3, inputName: 'x', outputName: 'p' }),
);
const ADAMW = OptimizerSpec.parse({ kind: 'adamw', learningRate: 0.01 });

function dataset(): LocalStepsRequest['rows'] {
  const random = createRandom(11);
  return {
    x: {
      dtype: 'F32',
      shape: [ROWS, FEATURES],
      data: Float32Array.from({ length: ROWS * FEATURES }, random.normal),
    },
    y: { dtype: 'U8', shape: [ROWS], data: Uint8Array.from({ length: ROWS }, () => random.below(CLASSES)) },
  };
}

async function trainingGraph(model: Model, change: Partial<TrainingRequest> = {}): Promise<TrainingGraph> {
  return buildTrainingGraph(model, await inferTypes(model), {
    inputs: { x: { tensor: 'x', dtype: 'F32' } },
    loss: { kind: 'softmax-cross-entropy', output: 'p', target: 'y' },
    target: { dtype: 'U8', shape: [] },
    ...change,
  });
}

let training: TrainingGraph;
let program: TrainingProgram;
beforeAll(async () => {
  training = await trainingGraph(FORWARD);
  program = await loadProgram(training.graph, training.parameters);
});
afterAll(() => program.release());

function request(change: Partial<LocalStepsRequest> = {}): LocalStepsRequest {
  return {
    program,
    rows: dataset(),
    parameters: training.initial,
    state: createOptimizer(change.optimizer ?? ADAMW).init(training.initial.length),
    optimizer: ADAMW,
    schedule: ScheduleSpec.parse('constant'),
    seed: 5,
    shard: 1,
    from: 0,
    to: STEPS,
    stepsPerEpoch: 4,
    steps: STEPS,
    ...change,
  };
}

const bits = (vector: Float32Array) => [...new Uint32Array(vector.slice().buffer)];
const distance = (a: Float32Array, b: Float32Array) => Math.hypot(...a.map((value, i) => value - b[i]!));

const optimizers = fc
  .tuple(
    fc.constantFrom<object>(
      { kind: 'sgd' },
      { kind: 'sgd', momentum: 0.9 },
      { kind: 'sgd', momentum: 0.8, nesterov: true },
      { kind: 'adam' },
      { kind: 'adamw' },
      { kind: 'adagrad' },
      { kind: 'lion' },
    ),
    fc.constantFrom(0, 0.1),
  )
  .map(([spec, weightDecay]) => OptimizerSpec.parse({ ...spec, weightDecay, learningRate: 0.01 }));
const schedules = fc
  .tuple(
    fc.constantFrom<object>(
      { kind: 'constant' },
      { kind: 'linear', floor: 0.1 },
      { kind: 'cosine' },
      { kind: 'step', every: 3, factor: 0.5 },
    ),
    fc.integer({ min: 0, max: STEPS - 1 }),
  )
  .map(([schedule, warmupSteps]) => ScheduleSpec.parse({ ...schedule, warmupSteps }));

describe('a checkpoint', () => {
  it('is all that training needs to go on', async () => {
    const runs = fc.record({
      optimizer: optimizers,
      schedule: schedules,
      clipNorm: fc.constantFrom(undefined, 0.05, 1e6),
      accumulate: fc.integer({ min: 1, max: 4 }),
      weightDecay: fc.constantFrom(
        undefined,
        Float32Array.from({ length: training.initial.length }, (_, i) => (i % 3) * 0.1),
      ),
      cut: fc.integer({ min: 1, max: STEPS - 1 }),
    });
    await fc.assert(
      fc.asyncProperty(runs, async ({ cut, ...options }) => {
        const whole = await localSteps(request(options));
        const head = await localSteps(request({ ...options, to: cut }));
        const checkpoint = encodeState(
          { parameters: head.parameters, slots: head.state },
          training.parameters,
        );
        const { slots } = createOptimizer(options.optimizer);
        const state = decodeState(checkpoint, training.parameters, slots);
        const tail = await localSteps(
          request({ ...options, from: cut, parameters: state.parameters, state: state.slots }),
        );
        expect(bits(tail.parameters)).toEqual(bits(whole.parameters));
        for (const slot of slots) expect(bits(tail.state[slot]!)).toEqual(bits(whole.state[slot]!));
        expect(bits(whole.parameters)).not.toEqual(bits(training.initial));
      }),
      { numRuns: 60 },
    );
  });
});

describe('an exported model', () => {
  it.each([
    ['all of it trained', {}],
    ['a layer frozen', { freeze: ['layer1.*'] }],
    ['biases alone', { train: ['*.bias'], weightDecay: [{ match: '*', value: 0 }] }],
  ])('goes on exactly where it was, %s', async (_, given) => {
    const rules = ParametersSpec.parse(given);
    const parameters: TrainingRequest['parameters'] = (candidates) => chooseParameters(rules, candidates);
    const first = await trainingGraph(FORWARD, { parameters });
    const weightDecay = elementDecay(
      withWeightDecay(first.parameters, rules, ADAMW.weightDecay),
      ADAMW.weightDecay,
    );
    const before = await loadProgram(first.graph, first.parameters);
    const start = {
      program: before,
      weightDecay,
      parameters: first.initial,
      state: createOptimizer(ADAMW).init(first.initial.length),
    };
    const whole = await localSteps(request(start));
    const head = await localSteps(request({ ...start, to: 5 }));
    await before.release();

    const file = encodeModel(withInitializers(FORWARD, parameterValues(first.parameters, head.parameters)));
    const imported = decodeModel(file);
    const second = await trainingGraph(imported, { parameters });
    expect(bits(second.initial)).toEqual(bits(head.parameters));
    expect(second.parameters).toEqual(first.parameters);
    const after = await loadProgram(second.graph, second.parameters);
    const tail = await localSteps(
      request({ program: after, weightDecay, parameters: second.initial, state: head.state, from: 5 }),
    );
    await after.release();
    expect(bits(tail.parameters)).toEqual(bits(whole.parameters));
    expect(bits(tail.state['v']!)).toEqual(bits(whole.state['v']!));

    // What is frozen leaves as it came.
    const trained = new Set(first.parameters.map(({ name }) => name));
    for (const [i, tensor] of imported.graph.initializer.entries()) {
      const [now, then] = [tensorValue(tensor), tensorValue(FORWARD.graph.initializer[i]!)];
      if (trained.has(tensor.name)) expect(now).not.toEqual(then);
      else expect(now).toEqual(then);
    }
  });
});

describe('steps of several batches', () => {
  it('are the steps of one batch of all their rows, up to rounding', async () => {
    // Momentum, not Adam: where gradients are near zero Adam makes whole steps of rounding errors.
    const optimizer = OptimizerSpec.parse({ kind: 'sgd', learningRate: 0.1, momentum: 0.9 });
    const one = await localSteps(request({ optimizer }));
    const three = await localSteps(request({ optimizer, accumulate: 3 }));
    expect(three.samples).toBe(one.samples);
    expect(three.loss).toBeCloseTo(one.loss, 6);
    expect(bits(three.parameters)).not.toEqual(bits(one.parameters));
    const moved = distance(one.parameters, training.initial);
    expect(moved).toBeGreaterThan(0.1);
    expect(distance(three.parameters, one.parameters) / moved).toBeLessThan(1e-5);
  });
});

describe('clipping', () => {
  it('bounds the first step of SGD by rate times norm, and does nothing to shorter gradients', async () => {
    const optimizer = OptimizerSpec.parse({ kind: 'sgd', learningRate: 0.5 });
    const step = async (clipNorm: number | undefined) => {
      const { parameters } = await localSteps(request({ optimizer, clipNorm, to: 1 }));
      return { parameters, length: distance(parameters, training.initial) / 0.5 };
    };
    const free = await step(undefined);
    const clipped = await step(free.length / 4);
    expect(clipped.length / free.length).toBeCloseTo(0.25, 5);
    expect(bits((await step(free.length * 4)).parameters)).toEqual(bits(free.parameters));
  });

  it('ends training whose gradient is no number, though the loss is one', async () => {
    const broken: TrainingProgram = {
      ...program,
      async gradients(parameters, batch, gradient) {
        const result = await program.gradients(parameters, batch, gradient);
        result.gradient[3] = Infinity;
        return result;
      },
    };
    await expect(localSteps(request({ program: broken, clipNorm: 1 }))).rejects.toThrow(
      /diverged: the gradient's norm is NaN at step 0 of shard 1/,
    );
  });
});
