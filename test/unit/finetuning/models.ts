/** Small graphs for tests of fine-tuning. */
import type { Attributes } from '../../../core/onnx/attributes.ts';
import { GraphBuilder } from '../../../core/onnx/builder.ts';
import type { Model } from '../../../core/onnx/model.ts';
import { tensorValue } from '../../../core/onnx/tensor.ts';
import { createRandom } from '../../../core/random.ts';

export const randomValues = (count: number, seed: number): Float32Array<ArrayBuffer> => {
  const random = createRandom(seed);
  return Float32Array.from({ length: count }, () => random.normal());
};

export interface LinearCase {
  readonly weight: readonly [number, number];
  readonly x: readonly (number | string)[];
  readonly y: readonly (number | string)[];
  /** Writes y = f(x, w). */
  readonly write: (graph: GraphBuilder) => void;
  readonly inputs: number;
  readonly outputs: number;
}

const gemm = (graph: GraphBuilder, attributes: Attributes, weight = 'w') => {
  graph.initializer('c', { dtype: 'F32', shape: [3], data: randomValues(3, 9) });
  graph.op('Gemm', ['x', weight, 'c'], attributes, 'y');
};

/** Every way a graph multiplies by a weight of 4 inputs and 3 outputs. */
export const LINEAR_CASES: Readonly<Record<string, LinearCase>> = {
  MatMul: {
    weight: [4, 3],
    x: ['n', 4],
    y: ['n', 3],
    inputs: 4,
    outputs: 3,
    write: (graph) => graph.op('MatMul', ['x', 'w'], {}, 'y'),
  },
  'MatMul of a stack': {
    weight: [4, 3],
    x: ['n', 5, 4],
    y: ['n', 5, 3],
    inputs: 4,
    outputs: 3,
    write: (graph) => graph.op('MatMul', ['x', 'w'], {}, 'y'),
  },
  'MatMul of a Transpose': {
    weight: [3, 4],
    x: ['n', 5, 4],
    y: ['n', 5, 3],
    inputs: 4,
    outputs: 3,
    write: (graph) => graph.op('MatMul', ['x', graph.op('Transpose', ['w'], { perm: [1, 0] })], {}, 'y'),
  },
  Gemm: {
    weight: [4, 3],
    x: ['n', 4],
    y: ['n', 3],
    inputs: 4,
    outputs: 3,
    write: (graph) => gemm(graph, {}),
  },
  'Gemm with transB and alpha': {
    weight: [3, 4],
    x: ['n', 4],
    y: ['n', 3],
    inputs: 4,
    outputs: 3,
    write: (graph) => gemm(graph, { transB: 1, alpha: { float: 0.5 }, beta: { float: 2 } }),
  },
  'Gemm with transA': {
    weight: [4, 3],
    x: [4, 'n'],
    y: ['n', 3],
    inputs: 4,
    outputs: 3,
    write: (graph) => gemm(graph, { transA: 1 }),
  },
  'Gemm with transB of a Transpose': {
    weight: [4, 3],
    x: ['n', 4],
    y: ['n', 3],
    inputs: 4,
    outputs: 3,
    write: (graph) => gemm(graph, { transB: 1 }, graph.op('Transpose', ['w'])),
  },
};

/** y, and the scalar `loss` Σ y². */
export function linearModel({ weight, x, y, write }: LinearCase): Model {
  const graph = new GraphBuilder(['y', 'loss']);
  graph.input({ name: 'x', dtype: 'F32', shape: x });
  graph.initializer('w', { dtype: 'F32', shape: weight, data: randomValues(12, 1) });
  write(graph);
  graph.output({ name: 'y', dtype: 'F32', shape: y });
  graph.op('ReduceSumSquare', ['y'], { keepdims: 0 }, 'loss');
  graph.output({ name: 'loss', dtype: 'F32', shape: [] });
  return graph.build('linear');
}

export function floatsOf(model: Model, name: string): Float32Array {
  const tensor = model.graph.initializer.find((each) => each.name === name);
  if (tensor === undefined) throw new Error(`no initializer ${name}`);
  return tensorValue(tensor).data as Float32Array;
}
