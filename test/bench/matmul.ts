/** Plain products of matrices: the rate at which the runtime multiplies is the ceiling of training. */
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import type { Attributes } from '../../core/onnx/attributes.ts';
import { GraphBuilder } from '../../core/onnx/builder.ts';
import { encodeModel } from '../../core/onnx/model.ts';
import type { TensorValue } from '../../core/tensors/tensor.ts';

/** Large enough to leave overheads behind, small enough for the cache. */
const SIZE = 512;

export interface Matmul {
  readonly run: () => Promise<unknown>;
  /** Floating-point operations of a run. */
  readonly flops: number;
  readonly release: () => Promise<void>;
}

/** `[512, 512]` times `[512, 512]`. */
export async function squareMatmul(threads = 1): Promise<Matmul> {
  const square = halves(SIZE, SIZE);
  return products({ a: square, b: square }, [['MatMul', ['a', 'b'], {}]], 2 * SIZE ** 3, threads);
}

/**
 * The two products of a dense layer whose input needs no gradient, Y = X·W and dW = Xᵀ·dY, and nothing else of it: what
 * the shapes alone leave of the rate of a square product.
 */
export async function layerProducts(rows: number, inputs: number, outputs: number): Promise<Matmul> {
  const given = { x: halves(rows, inputs), w: halves(inputs, outputs), d: halves(rows, outputs) };
  return products(
    given,
    [
      ['Gemm', ['x', 'w'], {}],
      ['Gemm', ['x', 'd'], { transA: 1 }],
    ],
    4 * rows * inputs * outputs,
    1,
  );
}

const halves = (rows: number, columns: number): TensorValue => ({
  dtype: 'F32',
  shape: [rows, columns],
  data: new Float32Array(rows * columns).fill(0.5),
});

/** One number of each product comes back, not the matrix: the product is measured, not the copy. */
async function products(
  given: Readonly<Record<string, TensorValue>>,
  nodes: readonly (readonly [op: string, inputs: readonly string[], attributes: Attributes])[],
  flops: number,
  threads: number,
): Promise<Matmul> {
  const graph = new GraphBuilder();
  for (const [name, { dtype, shape }] of Object.entries(given)) graph.input({ name, dtype, shape });
  const outputs = nodes.map(([op, inputs, attributes], i) => {
    const name = graph.op('ReduceMax', [graph.op(op, inputs, attributes)], { keepdims: 0 }, `largest${i}`);
    graph.output({ name, dtype: 'F32', shape: [] });
    return name;
  });
  const session = await nativeRuntime({ threads }).load(encodeModel(graph.build('products')));
  return { run: () => session.run(given, outputs), flops, release: () => session.release() };
}
