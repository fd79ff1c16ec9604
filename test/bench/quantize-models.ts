/** The graphs that `npm run bench:quantize` quantises. Weights are random, scaled so that values keep their size. */
import { GraphBuilder } from '../../core/onnx/builder.ts';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { decodeModel, type Model } from '../../core/onnx/model.ts';
import { createRandom } from '../../core/random.ts';

export interface Subject {
  readonly name: string;
  readonly model: Model;
  /** Of its one FP32 input `x`, without the batch. */
  readonly input: readonly number[];
}

const random = createRandom(5);
const normal = (count: number, deviation: number) =>
  Float32Array.from({ length: count }, () => random.normal() * deviation);

function mlp(inputs: number, hidden: number[], classes: number): Subject {
  const file = buildMlp({ inputs, hidden, classes, seed: 1, inputName: 'x' });
  return {
    name: `MLP ${[inputs, ...hidden, classes].join('-')}`,
    model: decodeModel(file),
    input: [inputs],
  };
}

/** Pre-norm blocks (attention, then a feed-forward net) over a sequence of vectors. */
function transformer(blocks: number, width: number, heads: number, length: number): Subject {
  const graph = new GraphBuilder(['x']);
  let x = graph.input({ name: 'x', dtype: 'F32', shape: ['batch', length, width] });
  let count = 0;
  const parameter = (shape: number[], data: Float32Array) =>
    graph.initializer(`p${count++}`, { dtype: 'F32', shape, data });
  const linear = (value: string, from: number, to: number) =>
    graph.op('Add', [
      graph.op('MatMul', [value, parameter([from, to], normal(from * to, Math.sqrt(1 / from)))]),
      parameter([to], normal(to, 0.02)),
    ]);
  const norm = (value: string) =>
    graph.op('LayerNormalization', [
      value,
      parameter([width], new Float32Array(width).fill(1)),
      parameter([width], new Float32Array(width)),
    ]);
  const shape = (...sizes: number[]) =>
    graph.constant({ dtype: 'I64', shape: [sizes.length], data: BigInt64Array.from(sizes, BigInt) });
  const split = (value: string, perm: number[]) =>
    graph.op('Transpose', [graph.op('Reshape', [value, shape(0, length, heads, width / heads)])], { perm });
  const scale = graph.constant({
    dtype: 'F32',
    shape: [],
    data: Float32Array.of(1 / Math.sqrt(width / heads)),
  });
  for (let block = 0; block < blocks; block++) {
    const normed = norm(x);
    const q = split(linear(normed, width, width), [0, 2, 1, 3]);
    const k = split(linear(normed, width, width), [0, 2, 3, 1]);
    const v = split(linear(normed, width, width), [0, 2, 1, 3]);
    const weights = graph.op('Softmax', [graph.op('Mul', [graph.op('MatMul', [q, k]), scale])], { axis: -1 });
    const mixed = graph.op('Transpose', [graph.op('MatMul', [weights, v])], { perm: [0, 2, 1, 3] });
    x = graph.op('Add', [x, linear(graph.op('Reshape', [mixed, shape(0, length, width)]), width, width)]);
    x = graph.op('Add', [x, linear(graph.op('Relu', [linear(norm(x), width, 4 * width)]), 4 * width, width)]);
  }
  graph.output({ name: norm(x), dtype: 'F32', shape: ['batch', length, width] });
  return {
    name: `transformer, ${blocks} × ${width}, ${length} tokens`,
    model: graph.build('t'),
    input: [length, width],
  };
}

/** 3×3 convolutions over an image that keeps its size. */
function convolutions(size: number, channels: readonly number[]): Subject {
  const graph = new GraphBuilder(['x']);
  let x = graph.input({ name: 'x', dtype: 'F32', shape: ['batch', channels[0]!, size, size] });
  channels.slice(1).forEach((to, i) => {
    const from = channels[i]!;
    const weights = normal(to * from * 9, Math.sqrt(2 / (from * 9)));
    const w = graph.initializer(`w${i}`, { dtype: 'F32', shape: [to, from, 3, 3], data: weights });
    const b = graph.initializer(`b${i}`, { dtype: 'F32', shape: [to], data: normal(to, 0.02) });
    x = graph.op('Relu', [graph.op('Conv', [x, w, b], { pads: [1, 1, 1, 1] })]);
  });
  graph.output({ name: x, dtype: 'F32', shape: ['batch', channels.at(-1)!, size, size] });
  return {
    name: `CNN ${channels.join('-')}, ${size}×${size}`,
    model: graph.build('c'),
    input: [channels[0]!, size, size],
  };
}

export const SUBJECTS: readonly Subject[] = [
  mlp(784, [128], 10),
  mlp(1024, [1024, 1024], 1024),
  transformer(2, 256, 4, 32),
  convolutions(14, [16, 32, 64]),
];
