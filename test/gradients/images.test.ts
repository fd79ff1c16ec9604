/** Networks over images: batches of any size, ties, and what is not computed. */
import { describe, expect, it } from 'vitest';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { inferTypes } from '../../cloud/adapters/onnxruntime-types.ts';
import { gradientGraph, gradientName } from '../../core/autodiff/gradient-graph.ts';
import { GraphBuilder } from '../../core/onnx/builder.ts';
import { encodeModel, type Model } from '../../core/onnx/model.ts';
import { tensorValue } from '../../core/onnx/tensor.ts';
import { createRandom } from '../../core/random.ts';
import { elementCount, type TensorValue } from '../../core/tensors/tensor.ts';

const random = createRandom(11);
const drawn = (shape: number[]): TensorValue => ({
  dtype: 'F32',
  shape,
  data: Float32Array.from({ length: elementCount(shape) }, () => random.uniform() - 0.5),
});
const positive = (shape: number[]): TensorValue => ({
  dtype: 'F32',
  shape,
  data: Float32Array.from({ length: elementCount(shape) }, () => 0.5 + random.uniform()),
});

function network(): Model {
  const graph = new GraphBuilder();
  const p = (name: string, ...shape: number[]) => graph.initializer(name, drawn(shape));
  const floats = (...values: number[]) =>
    graph.constant({ dtype: 'F32', shape: [values.length], data: Float32Array.from(values) });
  const ints = (...values: number[]) =>
    graph.constant({ dtype: 'I64', shape: [values.length], data: BigInt64Array.from(values, BigInt) });
  graph.input({ name: 'x', dtype: 'F32', shape: ['batch', 2, 9, 8] });
  let h = graph.op('Conv', ['x', p('conv.w', 4, 2, 3, 3), p('conv.b', 4)], { pads: [1, 1, 1, 1] });
  const statistics = [p('mean', 4), graph.initializer('variance', positive([4]))];
  h = graph.op('BatchNormalization', [h, p('bn.scale', 4), p('bn.bias', 4), ...statistics]);
  h = graph.op('Relu', [h]);
  h = graph.op('MaxPool', [h], { kernel_shape: [2, 2], strides: [2, 2] });
  h = graph.op('Conv', [h, p('depthwise.w', 4, 1, 3, 3)], { group: 4, pads: [1, 1, 1, 1] });
  h = graph.op('InstanceNormalization', [h, p('in.scale', 4), p('in.bias', 4)]);
  h = graph.op('Conv', [h, p('point.w', 4, 4, 1, 1)]);
  h = graph.op('MaxPool', [h], { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] });
  h = graph.op('Resize', [h, '', floats(1, 1, 2, 1.5)], { mode: 'linear' });
  h = graph.op('Pad', [h, ints(0, 0, 1, 2, 0, 0, 0, 1)], { mode: 'reflect' });
  h = graph.op('ConvTranspose', [h, p('up.w', 4, 4, 2, 2), p('up.b', 4)], { strides: [2, 1] });
  h = graph.op('AveragePool', [h], { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 1] });
  h = graph.op('GroupNormalization', [h, p('gn.scale', 4), p('gn.bias', 4)], { num_groups: 2 });
  h = graph.op('DepthToSpace', [h], { blocksize: 2 });
  h = graph.op('Concat', [graph.op('GlobalAveragePool', [h]), graph.op('GlobalMaxPool', [h])], { axis: 1 });
  h = graph.op('Gemm', [graph.op('Flatten', [h]), p('fc.w', 2, 3)]);
  graph.op('ReduceSum', [graph.op('Tanh', [h])], { keepdims: 0 }, 'loss');
  graph.output({ name: 'loss', dtype: 'F32', shape: [] });
  return graph.build('network');
}

/** The gradients of `loss` with respect to the initializers, all or those named. */
async function gradientsOf(model: Model, names?: readonly string[]) {
  const isAsked = (name: string) => names?.includes(name) ?? !name.startsWith('constant');
  const parameters = model.graph.initializer.filter((tensor) => isAsked(tensor.name));
  const sources = parameters.map((tensor) => tensor.name);
  const graph = gradientGraph(model, await inferTypes(model), 'loss', sources);
  const session = await nativeRuntime().load(encodeModel(graph));
  const values = Object.fromEntries(parameters.map((tensor) => [tensor.name, tensorValue(tensor)]));
  return {
    graph,
    async run(feeds: Record<string, TensorValue> = {}) {
      const results = await session.run({ ...feeds, ...values }, sources.map(gradientName));
      return sources.map((name) => Float64Array.from(results[gradientName(name)]!.data, Number));
    },
    release: () => session.release(),
  };
}

const largest = (values: Float64Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

describe('a network over images', () => {
  it('takes batches of any size: the gradient of their sum is the sum of their gradients', async () => {
    const gradients = await gradientsOf(network());
    const images = drawn([3, 2, 9, 8]);
    const whole = await gradients.run({ x: images });
    const size = 2 * 9 * 8;
    const alone: Float64Array[][] = [];
    for (let row = 0; row < 3; row++) {
      const data = (images.data as Float32Array).slice(row * size, (row + 1) * size);
      alone.push(await gradients.run({ x: { dtype: 'F32', shape: [1, 2, 9, 8], data } }));
    }
    await gradients.release();
    whole.forEach((gradient, i) => {
      const sum = gradient.map((_, at) => alone.reduce((total, each) => total + each[i]![at]!, 0));
      const scale = largest(alone[0]![i]!);
      expect(scale).toBeGreaterThan(0);
      expect(largest(gradient.map((value, at) => value - sum[at]!)) / scale).toBeLessThan(1e-4);
    });
  });

  it('does not compute the gradient of the data', async () => {
    const { graph, release } = await gradientsOf(network(), ['conv.w']);
    await release();
    const readers = graph.graph.node.filter((node) => node.input.includes('conv.w'));
    expect(readers.map((node) => node.opType)).toEqual(['Conv']);
  });

  it('is refused where its height or width is symbolic', async () => {
    const graph = new GraphBuilder();
    graph.input({ name: 'x', dtype: 'F32', shape: ['batch', 1, 'height', 8] });
    const y = graph.op('Conv', ['x', graph.initializer('w', drawn([1, 1, 3, 3]))]);
    graph.op('ReduceSum', [y], { keepdims: 0 }, 'loss');
    graph.output({ name: 'loss', dtype: 'F32', shape: [] });
    await expect(gradientsOf(graph.build('convolutional'))).rejects.toThrow(
      /Conv node Conv_0 cannot be trained through: the symbolic dimension height of x/,
    );
  });
});

describe('MaxPool', () => {
  const pooled = (
    shape: number[],
    attributes: { kernel_shape: number[]; strides: number[] },
    relu = false,
  ) => {
    const graph = new GraphBuilder();
    const data = Float32Array.from({ length: elementCount(shape) }, () => 3);
    const x = graph.initializer('p', { dtype: 'F32', shape, data });
    const h = graph.op('MaxPool', [relu ? graph.op('Relu', [x]) : x], attributes);
    graph.op('ReduceSum', [h], { keepdims: 0 }, 'loss');
    graph.output({ name: 'loss', dtype: 'F32', shape: [] });
    return gradientsOf(graph.build('pooled'));
  };

  it.each([false, true])(
    'shares evenly among equal elements of windows side by side, after Relu: %s',
    async (relu) => {
      const gradients = await pooled([1, 1, 4, 5], { kernel_shape: [2, 2], strides: [2, 2] }, relu);
      const [gradient] = await gradients.run();
      await gradients.release();
      const row = [0.25, 0.25, 0.25, 0.25, 0];
      expect([...gradient!]).toEqual([...row, ...row, ...row, ...row]);
      // Its own indices would take longer than all of this, and a mask in full size is not needed.
      const nodes = gradients.graph.graph.node;
      expect(nodes.filter((node) => node.opType === 'MaxPool').map((node) => node.output.length)).toEqual([
        1,
      ]);
      const masks = nodes.filter((node) => node.opType === 'HardSigmoid').map((node) => node.input[0]);
      expect(masks.filter((value) => value?.startsWith('MaxPool'))).toHaveLength(relu ? 1 : 0);
      expect(masks.filter((value) => value?.startsWith('Relu'))).toEqual([]);
    },
  );

  it('gives all to the first of equal elements where windows overlap', async () => {
    const gradients = await pooled([1, 1, 2, 4], { kernel_shape: [2, 2], strides: [1, 1] });
    const [gradient] = await gradients.run();
    await gradients.release();
    expect([...gradient!]).toEqual([1, 1, 1, 0, 0, 0, 0, 0]);
  });

  it.each([
    { relu: false, kernel: [2, 2], strides: [2, 2] },
    { relu: true, kernel: [2, 2], strides: [2, 2] },
    { relu: true, kernel: [2, 2], strides: [1, 1] },
  ])(
    'gives the bias before it what its windows got, ties and all: Relu $relu, strides $strides',
    async ({ relu, kernel, strides }) => {
      const graph = new GraphBuilder();
      const image = graph.constant(drawn([3, 2, 6, 6]));
      // Of the first two filters every window is a tie, of the second none is positive.
      const weight = drawn([3, 2, 1, 1]);
      (weight.data as Float32Array).fill(0, 0, 4);
      const bias = graph.initializer('bias', { dtype: 'F32', shape: [3], data: Float32Array.of(1, -1, 0.2) });
      const y = graph.op('Conv', [image, graph.initializer('weight', weight), bias]);
      const pool = graph.op('MaxPool', [relu ? graph.op('Relu', [y]) : y], { kernel_shape: kernel, strides });
      const size = strides[0] === 1 ? 5 : 3;
      const share = graph.constant(drawn([3, 3, size, size]));
      graph.op('ReduceSum', [graph.op('Mul', [pool, share])], { keepdims: 0 }, 'loss');
      graph.output({ name: 'loss', dtype: 'F32', shape: [] });
      const model = graph.build('biased');
      const gradients = await gradientsOf(model, ['bias']);
      const [gradient] = await gradients.run();
      await gradients.release();

      const values = tensorValue(model.graph.initializer.find(({ name }) => name === share)!).data;
      const sums = [0, 1].map((filter) => {
        let sum = 0;
        for (let row = 0; row < 3; row++)
          for (let at = 0; at < size * size; at++)
            sum += Number(values[(row * 3 + filter) * size * size + at]);
        return sum;
      });
      expect(gradient![0]).toBeCloseTo(sums[0]!, 5);
      expect(gradient![1]).toBeCloseTo(relu ? 0 : sums[1]!, 5);
    },
  );
});
