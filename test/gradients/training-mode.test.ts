/** Dropout and BatchNormalization while training: fed noise, assigned statistics, and what serves afterwards. */
import { beforeAll, describe, expect, it } from 'vitest';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { inferTypes } from '../../cloud/adapters/onnxruntime-types.ts';
import { localSteps } from '../../cloud/training/engine/local-steps.ts';
import { loadProgram, type TrainingProgram } from '../../cloud/training/engine/program.ts';
import {
  buildTrainingGraph,
  parameterValues,
  type TrainingGraph,
  type TrainingRequest,
} from '../../core/autodiff/training-graph.ts';
import { servingMode } from '../../core/autodiff/training-mode.ts';
import { OptimizerSpec } from '../../core/contracts/optimizer.ts';
import { GraphBuilder } from '../../core/onnx/builder.ts';
import { withInitializers } from '../../core/onnx/initializers.ts';
import { encodeModel, type Model } from '../../core/onnx/model.ts';
import { createOptimizer } from '../../core/optimizers/optimizer.ts';
import { createRandom } from '../../core/random.ts';

const [ROWS, IN, HIDDEN, OUT] = [24, 5, 6, 2];
const MOMENTUM = 0.8;
const RATIO = 0.25;

/** Gemm, BatchNormalization over the batch, Dropout, Gemm: as exporters write a model that is still being trained. */
function trainingModel({
  ratio = RATIO,
  batch = 'batch',
}: { ratio?: number; batch?: string | number } = {}): Model {
  const random = createRandom(5);
  const graph = new GraphBuilder(['y']);
  const values = (name: string, shape: number[], value: () => number) =>
    graph.initializer(name, {
      dtype: 'F32',
      shape,
      data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, value),
    });
  graph.input({ name: 'x', dtype: 'F32', shape: [batch, IN] });
  const hidden = graph.op('Gemm', ['x', values('w1', [IN, HIDDEN], random.normal)]);
  const normalized = graph.multi(
    'BatchNormalization',
    [
      hidden,
      values('bn.scale', [HIDDEN], () => 1),
      values('bn.bias', [HIDDEN], () => 0),
      values('bn.mean', [HIDDEN], () => 0),
      values('bn.variance', [HIDDEN], () => 1),
    ],
    3,
    { training_mode: 1, momentum: { float: MOMENTUM } },
  );
  const ratioName = values('ratio', [], () => ratio);
  const on = graph.initializer('on', { dtype: 'BOOL', shape: [], data: Uint8Array.of(1) });
  const dropped = graph.op('Dropout', [normalized[0]!, ratioName, on]);
  graph.op('Gemm', [dropped, values('w2', [HIDDEN, OUT], random.normal)], {}, 'y');
  graph.output({ name: 'y', dtype: 'F32', shape: [batch, OUT] });
  return graph.build('training');
}

const random = createRandom(9);
const rows = {
  x: { dtype: 'F32', shape: [ROWS, IN], data: Float32Array.from({ length: ROWS * IN }, random.normal) },
  t: { dtype: 'F32', shape: [ROWS, OUT], data: Float32Array.from({ length: ROWS * OUT }, random.normal) },
} as const;
const REQUEST: TrainingRequest = {
  inputs: { x: { tensor: 'x', dtype: 'F32' } },
  loss: { kind: 'mean-squared-error', output: 'y', target: 't' },
  target: { dtype: 'F32', shape: [OUT] },
};

const MODEL = trainingModel();
let training: TrainingGraph;
let program: TrainingProgram;
beforeAll(async () => {
  training = buildTrainingGraph(MODEL, await inferTypes(MODEL), REQUEST);
  program = await loadProgram(training.graph, training.parameters);
});

const valueOf = (flat: Float32Array, name: string) => parameterValues(training.parameters, flat).get(name)!;

async function train(steps: number, seed = 1) {
  const optimizer = OptimizerSpec.parse({ kind: 'adam', learningRate: 0.02 });
  return localSteps({
    program,
    rows,
    parameters: training.initial,
    state: createOptimizer(optimizer).init(program.length),
    optimizer,
    schedule: { kind: 'constant', warmupSteps: 0 },
    seed,
    shard: 0,
    from: 0,
    to: steps,
    stepsPerEpoch: 2,
    steps,
  });
}

describe('training mode', () => {
  it('trains weights, assigns running statistics, and lets the ratio be', () => {
    expect(training.parameters.map(({ name, assigned = false }) => [name, assigned])).toEqual([
      ['w1', false],
      ['bn.scale', false],
      ['bn.bias', false],
      ['w2', false],
      ['bn.mean', true],
      ['bn.variance', true],
    ]);
    expect(program.noise).toEqual([HIDDEN]);
  });

  it('keeps the statistics by their momentum, whatever the optimizer does', async () => {
    const flat = training.initial.slice();
    const noise = [new Float32Array(ROWS * HIDDEN).fill(0.9)];
    const { gradient } = await program.gradients(flat, rows, undefined, noise);
    const w1 = valueOf(flat, 'w1');
    for (let unit = 0; unit < HIDDEN; unit++) {
      const z = Array.from({ length: ROWS }, (_, row) => {
        let sum = 0;
        for (let i = 0; i < IN; i++) sum += rows.x.data[row * IN + i]! * w1[i * HIDDEN + unit]!;
        return sum;
      });
      const mean = z.reduce((a, b) => a + b, 0) / ROWS;
      const variance = z.reduce((a, b) => a + (b - mean) ** 2, 0) / ROWS;
      expect(valueOf(gradient, 'bn.mean')[unit]).toBeCloseTo((1 - MOMENTUM) * mean, 4);
      expect(valueOf(gradient, 'bn.variance')[unit]).toBeCloseTo(MOMENTUM + (1 - MOMENTUM) * variance, 4);
    }
    const trained = await train(40);
    expect(Math.min(...valueOf(trained.parameters, 'bn.variance'))).toBeGreaterThan(0);
    expect(Array.from(valueOf(trained.state['m']!, 'bn.mean'))).toEqual(Array(HIDDEN).fill(0));
  });

  it('drops what the noise says, and the gradients agree with differences under the same noise', async () => {
    const draw = createRandom(3);
    const noise = [Float32Array.from({ length: ROWS * HIDDEN }, draw.uniform)];
    const flat = training.initial.slice();
    const gradient = (await program.gradients(flat, rows, undefined, noise)).gradient.slice();
    const lossAt = async (i: number, by: number) => {
      const moved = flat.slice();
      moved[i]! += by;
      return (await program.gradients(moved, rows, undefined, noise)).loss;
    };
    const step = 1e-2;
    for (let i = 0; i < program.trained; i += 3) {
      const expected = ((await lossAt(i, step)) - (await lossAt(i, -step))) / (2 * step);
      expect(gradient[i]).toBeCloseTo(expected, 2);
    }
    const none = await program.gradients(flat, rows, undefined, [new Float32Array(ROWS * HIDDEN).fill(0.9)]);
    const all = await program.gradients(flat, rows, undefined, [new Float32Array(ROWS * HIDDEN)]);
    const zeroes = rows.t.data.reduce((sum, value) => sum + value * value, 0) / rows.t.data.length;
    expect(all.loss).toBeCloseTo(zeroes, 4);
    expect(none.loss).not.toBeCloseTo(zeroes, 2);
  });

  it('learns to the same bits each time, and to others with another seed', async () => {
    const [one, again, other] = [await train(30), await train(30), await train(30, 2)];
    expect(again.parameters).toEqual(one.parameters);
    expect(other.parameters).not.toEqual(one.parameters);
    expect((await train(1)).loss).toBeGreaterThan(one.loss);
  });

  it('serves without chance: by the statistics, nothing dropped, the names as they were', async () => {
    const { parameters } = await train(30);
    const served = withInitializers(
      { ...MODEL, graph: { ...MODEL.graph, node: servingMode(MODEL.graph.node) } },
      parameterValues(training.parameters, parameters),
    );
    const session = await nativeRuntime().load(encodeModel(served));
    const first = await session.run({ x: rows.x }, ['y']);
    expect(await session.run({ x: rows.x }, ['y'])).toEqual(first);
    // One row alone gives what it gives among others: the batch has no part in it.
    const alone = { dtype: 'F32', shape: [1, IN], data: rows.x.data.slice(0, IN) } as const;
    const { data } = (await session.run({ x: alone }, ['y']))['y']!;
    expect(Number(data[0])).toBeCloseTo(Number(first['y']!.data[0]), 5);
    await session.release();
  });

  it('leaves frozen statistics alone, and never trains one by gradient', async () => {
    const types = await inferTypes(MODEL);
    const frozen = buildTrainingGraph(MODEL, types, { ...REQUEST, isFrozen: (name) => name === 'bn.mean' });
    expect(frozen.parameters.map(({ name }) => name)).not.toContain('bn.mean');
    expect(() => buildTrainingGraph(MODEL, types, { ...REQUEST, parameters: ['bn.variance'] })).toThrow(
      /running statistic/,
    );
  });

  it('refuses a ratio of 1, and rows whose number is fixed', async () => {
    for (const [model, message] of [
      [trainingModel({ ratio: 1 }), /its ratio must be a constant from 0 to below 1/],
      [trainingModel({ batch: 4 }), /its first d/],
    ] as const) {
      const types = await inferTypes(model);
      expect(() => buildTrainingGraph(model, types, REQUEST)).toThrow(message);
    }
  });
});
