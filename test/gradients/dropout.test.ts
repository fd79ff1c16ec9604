/** Dropout while training: its gradient goes through the very mask the forward node drew. */
import { expect, it } from 'vitest';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { inferTypes } from '../../cloud/adapters/onnxruntime-types.ts';
import { gradientGraph } from '../../core/autodiff/gradient-graph.ts';
import { GraphBuilder } from '../../core/onnx/builder.ts';
import { encodeModel } from '../../core/onnx/model.ts';
import type { TensorValue } from '../../core/tensors/tensor.ts';

const ELEMENTS = 400;

/** Σ dropout(w), so that the loss is Σ w·gradient. @param ratio an initializer, or an input of the graph */
async function run(ratio: number | undefined, mode: boolean | undefined, feeds: Record<string, TensorValue>) {
  const graph = new GraphBuilder();
  const w = Float32Array.from({ length: ELEMENTS }, (_, i) => 0.5 + i / ELEMENTS);
  graph.initializer('w', { dtype: 'F32', shape: [ELEMENTS], data: w });
  if (ratio === undefined) graph.input({ name: 'ratio', dtype: 'F32', shape: [] });
  else graph.initializer('ratio', { dtype: 'F32', shape: [], data: Float32Array.of(ratio) });
  if (mode === undefined) graph.input({ name: 'mode', dtype: 'BOOL', shape: [] });
  else graph.initializer('mode', { dtype: 'BOOL', shape: [], data: Uint8Array.of(Number(mode)) });
  graph.op('Dropout', ['w', 'ratio', 'mode'], { seed: 5 }, 'y');
  graph.op('ReduceSum', ['y'], { keepdims: 0 }, 'loss');
  graph.output({ name: 'loss', dtype: 'F32', shape: [] });
  const model = graph.build('dropout');
  const gradients = gradientGraph(model, await inferTypes(model), 'loss', ['w']);
  const session = await nativeRuntime().load(encodeModel(gradients));
  const result = await session.run({ w: { dtype: 'F32', shape: [ELEMENTS], data: w }, ...feeds }, [
    'loss',
    'grad:w',
  ]);
  await session.release();
  const gradient = Array.from(result['grad:w']!.data, Number);
  const product = gradient.reduce((sum, value, i) => sum + value * w[i]!, 0);
  return { loss: Number(result['loss']!.data[0]), gradient, product };
}

const scalar = (value: number): TensorValue => ({ dtype: 'F32', shape: [], data: Float32Array.of(value) });
const flag = (value: boolean): TensorValue => ({
  dtype: 'BOOL',
  shape: [],
  data: Uint8Array.of(Number(value)),
});

it.each([
  ['constants', 0.25, true, {}],
  ['inputs of the graph', undefined, undefined, { ratio: scalar(0.25), mode: flag(true) }],
] as const)('passes what was kept, scaled: ratio and mode are %s', async (_, ratio, mode, feeds) => {
  const { loss, gradient, product } = await run(ratio, mode, feeds);
  expect(product / loss).toBeCloseTo(1, 5);
  const kept = gradient.filter((value) => value !== 0);
  expect(kept.every((value) => Math.abs(value - 4 / 3) < 1e-6)).toBe(true);
  expect(kept.length / ELEMENTS).toBeGreaterThan(0.6);
  expect(kept.length / ELEMENTS).toBeLessThan(0.9);
});

it('passes everything as it is where the graph is told at run time that it is not training', async () => {
  const { loss, gradient, product } = await run(0.25, undefined, { mode: flag(false) });
  expect(gradient.every((value) => value === 1)).toBe(true);
  expect(product / loss).toBeCloseTo(1, 5);
});
