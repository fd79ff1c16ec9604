/** Every loss by name: its value against formulas written out in float64, its gradient against central differences. */
import { describe, expect, it } from 'vitest';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { inferTypes } from '../../cloud/adapters/onnxruntime-types.ts';
import { localSteps } from '../../cloud/training/engine/local-steps.ts';
import { loadProgram } from '../../cloud/training/engine/program.ts';
import { lossOf } from '../../core/autodiff/losses/table.ts';
import { Ops } from '../../core/autodiff/ops.ts';
import { buildTrainingGraph, type TrainingRequest } from '../../core/autodiff/training-graph.ts';
import type { DatasetTensor } from '../../core/contracts/dataset.ts';
import type { LossSpec } from '../../core/contracts/loss.ts';
import { OptimizerSpec } from '../../core/contracts/optimizer.ts';
import { createEvaluation } from '../../core/metrics/evaluation.ts';
import { MEANS, type MeanMetric } from '../../core/metrics/means.ts';
import { GraphBuilder } from '../../core/onnx/builder.ts';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { decodeModel, encodeModel, type Model } from '../../core/onnx/model.ts';
import { createRandom } from '../../core/random.ts';
import { type DType, DTYPES } from '../../core/tensors/dtypes.ts';
import { elementCount, type TensorValue } from '../../core/tensors/tensor.ts';

type Stored = TensorValue & { readonly divisor?: number };

interface Case {
  readonly about: string;
  readonly loss: LossSpec;
  /** Of the output, the batch included. */
  readonly shape: readonly number[];
  readonly target: Stored;
  readonly mask?: Stored;
}

const random = createRandom(4, 7);
const drawn = (shape: readonly number[], scale = 3) =>
  Float64Array.from({ length: elementCount(shape) }, () => scale * (2 * random.uniform() - 1));
const tensor = (dtype: Exclude<DType, 'I64' | 'U64'>, shape: number[], ...values: number[]): TensorValue => ({
  dtype,
  shape,
  data: DTYPES[dtype].array.from(values),
});
const wide = (shape: number[], ...values: number[]): TensorValue => ({
  dtype: 'I64',
  shape,
  data: BigInt64Array.from(values, BigInt),
});
/** Rows of probabilities that add up to one. */
function distributions(...shape: number[]): TensorValue {
  const classes = shape.at(-1)!;
  const data = drawn(shape).map(Math.exp);
  for (let start = 0; start < data.length; start += classes) {
    const total = data.subarray(start, start + classes).reduce((sum, value) => sum + value, 0);
    for (let i = start; i < start + classes; i++) data[i]! /= total;
  }
  return { dtype: 'F64', shape, data };
}

const names = { output: 'y', target: 't' };
const masked = { ...names, mask: 'm' };
const CASES: readonly Case[] = [
  {
    about: 'class ids of rows',
    loss: { kind: 'softmax-cross-entropy', ...names },
    shape: [3, 4],
    target: tensor('U8', [3], 0, 3, 1),
  },
  {
    about: 'class ids in a column of their own',
    loss: { kind: 'softmax-cross-entropy', ...names },
    shape: [3, 4],
    target: tensor('I32', [3, 1], 2, 2, 0),
  },
  {
    about: 'class ids of tokens, one ignored',
    loss: { kind: 'softmax-cross-entropy', ...names, ignoreIndex: -100 },
    shape: [2, 3, 5],
    target: wide([2, 3], 0, 4, -100, 2, 2, 1),
  },
  {
    about: 'class ids of tokens, masked by booleans, one ignored',
    loss: { kind: 'softmax-cross-entropy', ...masked, ignoreIndex: 0 },
    shape: [2, 3, 5],
    target: wide([2, 3], 0, 4, 3, 2, 2, 1),
    mask: tensor('BOOL', [2, 3], 1, 1, 0, 1, 0, 1),
  },
  {
    about: 'class ids, weighted',
    loss: { kind: 'softmax-cross-entropy', ...masked },
    shape: [3, 4],
    target: tensor('I32', [3], 1, 0, 3),
    mask: tensor('F32', [3], 0.5, 0, 2),
  },
  {
    about: 'probabilities',
    loss: { kind: 'softmax-cross-entropy', ...names },
    shape: [3, 4],
    target: distributions(3, 4),
  },
  {
    about: 'probabilities of tokens, masked',
    loss: { kind: 'softmax-cross-entropy', ...masked },
    shape: [2, 2, 3],
    target: distributions(2, 2, 3),
    mask: tensor('F32', [2, 2], 1, 0, 0.25, 1),
  },
  {
    about: 'one-hot integers',
    loss: { kind: 'softmax-cross-entropy', ...names },
    shape: [2, 3],
    target: tensor('U8', [2, 3], 0, 1, 0, 0, 0, 1),
  },
  {
    about: 'a label in a column',
    loss: { kind: 'binary-cross-entropy', ...names },
    shape: [4, 1],
    target: tensor('U8', [4], 1, 0, 0, 1),
  },
  {
    about: 'several labels, as probabilities, masked',
    loss: { kind: 'binary-cross-entropy', ...masked },
    shape: [2, 3],
    target: tensor('F32', [2, 3], 0.25, 1, 0, 0.75, 0.5, 0),
    mask: tensor('U8', [2, 3], 1, 1, 0, 2, 1, 1),
  },
  {
    about: 'values in a column',
    loss: { kind: 'mean-squared-error', ...names },
    shape: [4, 1],
    target: tensor('F32', [4], 0.5, -2, 1, 7),
  },
  {
    about: 'values, divided and masked',
    loss: { kind: 'mean-squared-error', ...masked },
    shape: [2, 3],
    target: { ...tensor('U8', [2, 3], 0, 51, 255, 102, 7, 1), divisor: 255 },
    mask: tensor('F32', [2, 3], 1, 0, 2, 1, 1, 0.5),
  },
  {
    about: 'on both sides of delta',
    loss: { kind: 'huber', ...names, delta: 1.5 },
    shape: [5],
    target: tensor('F64', [5], 0.1, -9, 9, 0.2, -0.3),
  },
  {
    about: 'masked',
    loss: { kind: 'huber', ...masked, delta: 1 },
    shape: [3, 2],
    target: tensor('F32', [3, 2], 0.1, -9, 9, 0.2, -0.3, 4),
    mask: tensor('BOOL', [3, 2], 1, 1, 0, 0, 1, 1),
  },
];

/** The loss by itself, on an output that is an input of the graph. */
async function lossSession({ loss, shape, target, mask }: Omit<Case, 'about'>, dtype: DType = 'F64') {
  const graph = new GraphBuilder();
  const input = (name: string, value: Pick<TensorValue, 'dtype' | 'shape'> & { divisor?: number }) => {
    const spec = { name, dtype: value.dtype, shape: ['batch', ...value.shape.slice(1)] };
    graph.input(spec);
    return { ...spec, divisor: value.divisor };
  };
  const output = input('y', { dtype, shape });
  const written = lossOf(loss).write(new Ops(graph), loss, {
    output,
    target: input('t', target),
    mask: mask === undefined ? undefined : input('m', mask),
    data: 'y',
  });
  const results = { loss: written.loss, count: written.count, seed: written.seed, ...written.sums };
  for (const [name, value] of Object.entries(results)) {
    graph.op('Identity', [value], {}, `out:${name}`);
    graph.output({ name: `out:${name}`, dtype, shape: name === 'seed' ? output.shape : [] });
  }
  const session = await nativeRuntime().load(encodeModel(graph.build('loss')));
  const read = async (y: TensorValue, t: TensorValue = target) => {
    const feeds = { y, t, ...(mask === undefined ? {} : { m: mask }) };
    const outputs = await session.run(
      feeds,
      session.outputs.map(({ name }) => name),
    );
    return (name: string) => outputs[`out:${name}`]!;
  };
  return { read, sums: Object.keys(written.sums) as MeanMetric[], release: () => session.release() };
}

describe('losses', () => {
  it.each(CASES.map((each) => [each.loss.kind, each.about, each] as const))('%s: %s', async (_, __, each) => {
    const { loss, shape, target, mask } = each;
    const session = await lossSession(each);
    const data = drawn(shape);
    const y: TensorValue = { dtype: 'F64', shape, data };
    const result = await session.read(y);

    const evaluation = createEvaluation(loss, 'logits', shape.length);
    evaluation.update({ output: y, target, mask, rows: shape[0]! });
    const expected = evaluation.metrics();
    const scalar = (name: string) => Number(result(name).data[0]);
    expect(scalar('loss')).toBeCloseTo(expected['loss']!, 9);
    expect(session.sums.length).toBeGreaterThan(0);
    for (const name of session.sums)
      expect(MEANS[name].value(scalar(name) / scalar('count')), name).toBeCloseTo(expected[name]!, 9);

    const seed = result('seed');
    expect(seed.shape).toEqual(shape);
    const step = 1e-5;
    for (const [i, before] of data.entries()) {
      data[i] = before + step;
      const up = Number((await session.read(y))('loss').data[0]);
      data[i] = before - step;
      const down = Number((await session.read(y))('loss').data[0]);
      data[i] = before;
      expect(Math.abs(Number(seed.data[i]) - (up - down) / (2 * step))).toBeLessThan(1e-7);
    }
    await session.release();
  });

  it('count elements, tokens that are not ignored, or weights', async () => {
    const counts = await Promise.all(
      CASES.map(async (each) => {
        const session = await lossSession(each);
        const read = await session.read({ dtype: 'F64', shape: each.shape, data: drawn(each.shape) });
        await session.release();
        return Number(read('count').data[0]);
      }),
    );
    expect(counts).toEqual([3, 3, 5, 3, 2.5, 3, 2.25, 2, 4, 6, 4, 5.5, 5, 4]);
  });

  it('and their gradients are 0 where everything is masked', async () => {
    for (const each of CASES.filter(({ mask }) => mask !== undefined)) {
      const data = new DTYPES[each.mask!.dtype].array(each.mask!.data.length);
      const session = await lossSession({ ...each, mask: { ...each.mask!, data } });
      const read = await session.read({ dtype: 'F64', shape: each.shape, data: drawn(each.shape) });
      expect(read('loss').data[0]).toBe(0);
      const seed = Array.from<number | bigint, number>(read('seed').data, Number);
      expect(seed.every((value) => value === 0)).toBe(true);
      await session.release();
    }
  });

  it.each(['softmax-cross-entropy', 'binary-cross-entropy'] as const)(
    '%s stays finite in float32 however far the logits are',
    async (kind) => {
      const target = tensor('U8', [2, 2], 0, 1, 1, 0);
      const session = await lossSession({ loss: { kind, ...names }, shape: [2, 2], target }, 'F32');
      const read = await session.read(tensor('F32', [2, 2], 3e4, -3e4, 3e4, -3e4));
      const perRow = kind === 'softmax-cross-entropy' ? 6e4 : 3e4;
      expect(read('loss').data[0]).toBe(perRow / 2);
      expect(Array.from(read('seed').data, Number).every(Number.isFinite)).toBe(true);
      await session.release();
    },
  );

  it('do not broadcast: another number of target elements is an error', async () => {
    for (const each of CASES) {
      const session = await lossSession(each);
      const one = { ...each.target, shape: [1, ...each.target.shape.slice(1)] };
      const width = elementCount(one.shape);
      const t = { ...one, data: each.target.data.slice(0, width) };
      const y = { dtype: 'F64', shape: each.shape, data: drawn(each.shape) } as const;
      await expect(session.read(y, t), each.about).rejects.toThrow(/refuses the inputs/);
      await session.release();
    }
  });
});

/** x [batch, 2] → x·w + b, as scores, probabilities or with its own loss. */
function linear(finish: (graph: GraphBuilder, value: string) => void): Model {
  const graph = new GraphBuilder(['loss', 'y']);
  graph.input({ name: 'x', dtype: 'F32', shape: ['batch', 2] });
  graph.initializer('w', { dtype: 'F32', shape: [2, 1], data: Float32Array.of(0.5, -1) });
  graph.initializer('b', { dtype: 'F32', shape: [1], data: Float32Array.of(0.1) });
  finish(graph, graph.op('Gemm', ['x', 'w', 'b']));
  return graph.build('linear');
}

async function gradientsOf(model: Model, request: TrainingRequest, batch: Record<string, TensorValue>) {
  const training = buildTrainingGraph(model, await inferTypes(model), request);
  const program = await loadProgram(training.graph, training.parameters);
  const { gradient, ...figures } = await program.gradients(training.initial, batch);
  await program.release();
  return { gradient: [...gradient], ...figures };
}

describe('training graphs', () => {
  const batch = {
    x: tensor('F32', [3, 2], 1, 2, -1, 0.5, 3, -2),
    t: tensor('F32', [3], 1, 0, 1),
  };
  const inputs = { x: { tensor: 'x', dtype: 'F32' } } as const;
  const target: DatasetTensor = { dtype: 'F32', shape: [] };

  it('take a loss the model computes itself, and count its rows', async () => {
    const own = linear((graph, value) => {
      graph.input({ name: 'truth', dtype: 'F32', shape: ['batch', 1] });
      const error = graph.op('Sub', [value, 'truth']);
      graph.op('ReduceMean', [graph.op('Mul', [error, error])], { keepdims: 0 }, 'loss');
      graph.output({ name: 'loss', dtype: 'F32', shape: [] });
    });
    const predicting = linear((graph, value) => {
      graph.op('Identity', [value], {}, 'y');
      graph.output({ name: 'y', dtype: 'F32', shape: ['batch', 1] });
    });
    const computed = await gradientsOf(
      own,
      {
        inputs: { ...inputs, truth: { tensor: 't', dtype: 'F32' } },
        loss: { kind: 'output', output: 'loss' },
      },
      { ...batch, t: { ...batch.t, shape: [3, 1] } },
    );
    const named = await gradientsOf(
      predicting,
      { inputs, loss: { kind: 'mean-squared-error', output: 'y', target: 't' }, target },
      batch,
    );
    expect(computed).toMatchObject({ count: 3, samples: 3, sums: {} });
    expect(computed.loss).toBeCloseTo(named.loss, 6);
    named.gradient.forEach((value, i) => expect(computed.gradient[i]).toBeCloseTo(value, 5));
    expect(Object.keys(named.sums)).toEqual(['rmse', 'mae']);
  });

  it('look behind a Sigmoid and a Softmax: probabilities and logits train alike', async () => {
    for (const [activation, kind, classes, label] of [
      ['sigmoid', 'binary-cross-entropy', 1, batch.t],
      ['softmax', 'softmax-cross-entropy', 3, tensor('U8', [3], 2, 0, 1)],
    ] as const) {
      const [ending, bare] = await Promise.all(
        ([activation, 'none'] as const).map((each) =>
          gradientsOf(
            decodeModel(
              buildMlp({
                inputs: 2,
                hidden: [4],
                classes,
                activation: each,
                inputName: 'x',
                outputName: 'y',
              }),
            ),
            { inputs, loss: { kind, output: 'y', target: 't' }, target: { dtype: label.dtype, shape: [] } },
            { ...batch, t: label },
          ),
        ),
      );
      expect(ending).toEqual(bare);
      expect(ending!.gradient.some((value) => value !== 0)).toBe(true);
    }
  });

  it('in steps of several batches weigh each by what counts in it', async () => {
    const model = decodeModel(
      buildMlp({ inputs: 2, hidden: [3], classes: 1, activation: 'none', inputName: 'x', outputName: 'y' }),
    );
    const training = buildTrainingGraph(model, await inferTypes(model), {
      inputs,
      loss: { kind: 'mean-squared-error', output: 'y', target: 't', mask: 'm' },
      target,
      mask: target,
    });
    const program = await loadProgram(training.graph, training.parameters);
    const optimizer = OptimizerSpec.parse({ kind: 'sgd', learningRate: 0.1 });
    const rows = {
      x: { dtype: 'F32', shape: [9, 2], data: Float32Array.from(drawn([9, 2])) },
      t: { dtype: 'F32', shape: [9], data: Float32Array.from(drawn([9])) },
      m: tensor('F32', [9], 0, 1, 0, 0, 0, 0, 0.5, 1, 2),
    } as const;
    const run = (accumulate: number) =>
      localSteps({
        program,
        rows,
        optimizer,
        accumulate,
        parameters: training.initial,
        state: {},
        schedule: { kind: 'constant', warmupSteps: 0 },
        seed: 1,
        shard: 0,
        from: 0,
        to: 1,
        stepsPerEpoch: 1,
        steps: 1,
      });
    const [one, three] = [await run(1), await run(3)];
    await program.release();
    expect([three.count, one.count]).toEqual([4.5, 4.5]);
    expect(three.loss).toBeCloseTo(one.loss, 5);
    expect(three.metrics['mae']).toBeCloseTo(one.metrics['mae']!, 5);
    expect([...one.parameters]).not.toEqual([...training.initial]);
    one.parameters.forEach((value, i) => expect(three.parameters[i]).toBeCloseTo(value, 5));
  });
});
