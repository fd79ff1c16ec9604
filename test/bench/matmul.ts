/** One plain MatMul: the rate at which the runtime multiplies matrices is the ceiling of training. */
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { GraphBuilder } from '../../core/onnx/builder.ts';
import { encodeModel } from '../../core/onnx/model.ts';

/** Large enough to leave overheads behind, small enough for the cache. */
const SIZE = 512;

export interface Matmul {
  readonly run: () => Promise<unknown>;
  /** Floating-point operations of a run. */
  readonly flops: number;
  readonly release: () => Promise<void>;
}

export async function squareMatmul(threads = 1): Promise<Matmul> {
  const graph = new GraphBuilder();
  for (const name of ['a', 'b']) graph.input({ name, dtype: 'F32', shape: [SIZE, SIZE] });
  graph.op('MatMul', ['a', 'b'], {}, 'c');
  // One number comes back, not the matrix: the product is measured, not the copy.
  graph.op('ReduceMax', ['c'], { keepdims: 0 }, 'largest');
  graph.output({ name: 'largest', dtype: 'F32', shape: [] });
  const session = await nativeRuntime({ threads }).load(encodeModel(graph.build('matmul')));
  const matrix = {
    dtype: 'F32',
    shape: [SIZE, SIZE],
    data: new Float32Array(SIZE * SIZE).fill(0.5),
  } as const;
  return {
    run: () => session.run({ a: matrix, b: matrix }, ['largest']),
    flops: 2 * SIZE ** 3,
    release: () => session.release(),
  };
}
