/** One model, written for each operator set we read: the same loss and the same gradients, to the bit. */
import { beforeAll, describe, expect, it } from 'vitest';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { inferTypes } from '../../cloud/adapters/onnxruntime-types.ts';
import { gradientGraph, gradientName } from '../../core/autodiff/gradient-graph.ts';
import type { Attributes } from '../../core/onnx/attributes.ts';
import { GraphBuilder } from '../../core/onnx/builder.ts';
import { OPSET } from '../../core/onnx/check.ts';
import { encodeModel, type Model } from '../../core/onnx/model.ts';
import { tensorValue } from '../../core/onnx/tensor.ts';
import { createRandom } from '../../core/random.ts';

const PARAMETERS = { w: [4, 6], b: [6], v: [6, 1, 2, 2], slope: [1], gain: [3] } as const;

/** Whatever changed its form between the two ends, in the form it had in that version. */
function modelOf(version: number): Model {
  const graph = new GraphBuilder();
  const random = createRandom(3);
  for (const [name, shape] of Object.entries(PARAMETERS)) {
    const length = shape.reduce<number>((product, size) => product * size, 1);
    const data = Float32Array.from({ length }, () => 2 * random.uniform() - 1);
    graph.initializer(name, { dtype: 'F32', shape, data });
  }
  graph.initializer('positive', { dtype: 'F32', shape: [6], data: new Float32Array(6).fill(0.7) });
  const floats = (...values: number[]) =>
    graph.constant({ dtype: 'F32', shape: [values.length], data: Float32Array.from(values) });
  const ints = (...values: number[]) =>
    graph.constant({ dtype: 'I64', shape: [values.length], data: BigInt64Array.from(values, BigInt) });
  const scalar = (value: number) => graph.constant({ dtype: 'F32', shape: [], data: Float32Array.of(value) });
  const op = (type: string, inputs: string[], attributes?: Attributes) => graph.op(type, inputs, attributes);
  /** 18: axes as an input. */
  const reduce = (type: string, x: string, axes: number[], keepdims: number) =>
    version < 18 && type !== 'ReduceSum'
      ? op(type, [x], { axes, keepdims })
      : op(type, [x, ints(...axes)], { keepdims });

  graph.input({ name: 'x', dtype: 'F32', shape: ['batch', 4] });
  const h = op('LeakyRelu', [op('Gemm', ['x', 'w', 'b'])]);
  // 18: the number of equal parts.
  const [left, right] = graph.multi('Split', [h], 2, {
    axis: 1,
    ...(version < 18 ? {} : { num_outputs: 2 }),
  });
  const spread = reduce('ReduceL2', op('PRelu', [left!, 'slope']), [1], 1);
  const scaled = op('Mul', [op('Clip', [right!, scalar(-1), scalar(1)]), 'gain']);
  const mixed = op('Where', [op('Greater', [scaled, scalar(0)]), op('Pow', [scaled, scalar(2)]), spread]);
  const image = op('Reshape', [op('Concat', [mixed, left!], { axis: 1 }), ints(-1, 6, 1, 1)]);
  const grown = op('Resize', [image, '', floats(1, 1, 2, 2)], { mode: 'nearest' });
  const padded = op('Pad', [grown, ints(0, 0, 1, 0, 0, 0, 0, 1)]);
  const normalized = op('BatchNormalization', [padded, 'b', 'b', 'b', 'positive']);
  const convolved = op('Conv', [normalized, 'v'], { group: 6 });
  const pooled = op('AveragePool', [convolved], { kernel_shape: [2, 2] });
  const flat = op('Flatten', [pooled]);
  const reduced = [
    'ReduceMean',
    'ReduceMax',
    'ReduceMin',
    'ReduceSumSquare',
    'ReduceL1',
    'ReduceLogSumExp',
  ].map((type) => reduce(type, flat, [-1], 0));
  const terms = [...reduced, reduce('ReduceSum', op('Dropout', [flat]), [1], 0)];
  const stacked = op(
    'Concat',
    terms.map((term) => op('Unsqueeze', [term, ints(1)])),
    { axis: 1 },
  );
  const scores = op('LogSoftmax', [stacked], { axis: 1 });
  graph.op('ReduceMean', [op('Cast', [scores], { to: 1 })], { keepdims: 0 }, 'loss');
  graph.output({ name: 'loss', dtype: 'F32', shape: [] });
  return { ...graph.build('versions'), opsetImport: [{ domain: '', version }], irVersion: 8 };
}

async function gradientsOf(version: number): Promise<Record<string, readonly number[]>> {
  const model = modelOf(version);
  const names = Object.keys(PARAMETERS);
  const graph = gradientGraph(model, await inferTypes(model), 'loss', names);
  const session = await nativeRuntime().load(encodeModel(graph));
  const random = createRandom(5);
  const x = { dtype: 'F32', shape: [3, 4], data: Float32Array.from({ length: 12 }, random.uniform) } as const;
  const values = model.graph.initializer.filter((tensor) => names.includes(tensor.name));
  const feeds = { x, ...Object.fromEntries(values.map((tensor) => [tensor.name, tensorValue(tensor)])) };
  const results = await session.run(feeds, ['loss', ...names.map(gradientName)]);
  await session.release();
  return Object.fromEntries(
    Object.entries(results).map(([name, { data }]) => [name, Array.from(data, Number)]),
  );
}

const VERSIONS = Array.from({ length: OPSET.max - OPSET.min + 1 }, (_, i) => OPSET.min + i);

describe('operator sets', () => {
  let newest: Record<string, readonly number[]>;
  beforeAll(async () => {
    newest = await gradientsOf(OPSET.max);
  });

  it('are compared by gradients that are there', () => {
    for (const name of Object.keys(PARAMETERS))
      expect(
        newest[gradientName(name)]!.some((value) => value !== 0),
        name,
      ).toBe(true);
  });

  it.each(VERSIONS)('%i', async (version) => {
    expect(await gradientsOf(version)).toEqual(newest);
  });
});
