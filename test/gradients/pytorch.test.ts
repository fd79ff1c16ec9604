/** Whole models against the gradients PyTorch computed for them (test/fixtures/gradients/README.md). */
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { inferTypes } from '../../cloud/adapters/onnxruntime-types.ts';
import { gradientGraph, gradientName } from '../../core/autodiff/gradient-graph.ts';
import { decodeModel, encodeModel } from '../../core/onnx/model.ts';
import { tensorValue } from '../../core/onnx/tensor.ts';
import type { TensorValue } from '../../core/tensors/tensor.ts';

const Data = z.object({ shape: z.array(z.int()), data: z.array(z.number()) });
const Reference = z.object({
  inputs: z.record(z.string(), Data.extend({ dtype: z.enum(['float32', 'int64']) })),
  loss: z.number(),
  grads: z.record(z.string(), Data),
});

const fixture = (file: string) => readFile(new URL(`../fixtures/gradients/${file}`, import.meta.url));

/** max|difference| / max|gradient| allowed per tensor. */
const TOLERANCE = 1e-4;

it.each(['mlp_mnist', 'regressor_huber', 'cnn_lenet', 'gpt_tiny'])('%s', async (name) => {
  const model = decodeModel(new Uint8Array(await fixture(`${name}.onnx`)));
  const reference = Reference.parse(JSON.parse(String(await fixture(`${name}.json`))));
  const parameters = Object.keys(reference.grads);
  const graph = gradientGraph(model, await inferTypes(model), 'loss', parameters);
  const session = await nativeRuntime().load(encodeModel(graph));

  const feeds: Record<string, TensorValue> = {};
  for (const [input, { dtype, shape, data }] of Object.entries(reference.inputs))
    feeds[input] =
      dtype === 'int64'
        ? { dtype: 'I64', shape, data: BigInt64Array.from(data, BigInt) }
        : { dtype: 'F32', shape, data: Float32Array.from(data) };
  for (const tensor of model.graph.initializer)
    if (parameters.includes(tensor.name)) feeds[tensor.name] = tensorValue(tensor);

  const results = await session.run(feeds, ['loss', ...parameters.map(gradientName)]);
  await session.release();
  expect(results['loss']!.data[0]).toBeCloseTo(reference.loss, 5);
  for (const parameter of parameters) {
    const { shape, data } = reference.grads[parameter]!;
    const gradient = results[gradientName(parameter)]!;
    expect(gradient.shape).toEqual(shape);
    const largest = Math.max(...data.map(Math.abs));
    const worst = Math.max(...data.map((value, i) => Math.abs(value - Number(gradient.data[i]))));
    expect(largest, parameter).toBeGreaterThan(0);
    expect(worst / largest, parameter).toBeLessThan(TOLERANCE);
  }
});
