/** The adapted graph, its gradients and the merged graph, run. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { inferTypes } from '../../cloud/adapters/onnxruntime-types.ts';
import { gradientGraph, gradientName } from '../../core/autodiff/gradient-graph.ts';
import { addAdapters, loraA, loraB } from '../../core/finetuning/lora.ts';
import { linearWeights } from '../../core/finetuning/linear-weights.ts';
import { mergeAdapters } from '../../core/finetuning/merge-adapters.ts';
import { withInitializers } from '../../core/onnx/initializers.ts';
import { decodeModel, encodeModel, type Model } from '../../core/onnx/model.ts';
import { signatureOf } from '../../core/onnx/signature.ts';
import type { TensorValue } from '../../core/tensors/tensor.ts';
import { floatsOf, LINEAR_CASES, linearModel, randomValues } from '../unit/finetuning/models.ts';

const SPEC = { rank: 2, alpha: 6, target: ['*'] };
const SCALE = 3;

async function run(model: Model, feeds: Record<string, TensorValue>, outputs: string[]) {
  const session = await nativeRuntime().load(encodeModel(model));
  try {
    const results = await session.run(feeds, outputs);
    return outputs.map((name) => Array.from(results[name]!.data, Number));
  } finally {
    await session.release();
  }
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  const largest = Math.max(...expected.map(Math.abs));
  expect(actual).toHaveLength(expected.length);
  for (const [i, value] of expected.entries())
    expect(Math.abs(actual[i]! - value) / largest).toBeLessThan(2e-6);
}

describe.each(Object.entries(LINEAR_CASES))('LoRA of %s', (_, linear) => {
  const model = linearModel(linear);
  const adapted = addAdapters(model, SPEC, 5, ['y']).model;
  const shape = linear.x.map((dimension) => (typeof dimension === 'number' ? dimension : 7));
  const count = shape.reduce((product, dimension) => product * dimension, 1);
  const x = { dtype: 'F32', shape, data: randomValues(count, 2) } as const;
  const values = new Map([
    [loraA('w'), randomValues(linear.inputs * SPEC.rank, 3)],
    [loraB('w'), randomValues(SPEC.rank * linear.outputs, 4)],
  ]);

  it('starts as the model itself, with its signature', async () => {
    expect(signatureOf(adapted)).toEqual(signatureOf(model));
    expect(await run(adapted, { x }, ['y'])).toEqual(await run(model, { x }, ['y']));
  });

  it('merges into weights that compute what the adapted graph does', async () => {
    const merged = mergeAdapters(model, SPEC, values);
    expect(merged.graph.node).toEqual(model.graph.node);
    const [base] = await run(model, { x }, ['y']);
    const [expected] = await run(withInitializers(adapted, values), { x }, ['y']);
    const [actual] = await run(merged, { x }, ['y']);
    expect(actual).not.toEqual(base);
    expectClose(actual!, expected!);
  });

  it('has the gradients that follow from the weight’s own: dA = s·dW·Bᵀ, dB = s·Aᵀ·dW', async () => {
    const { rank } = SPEC;
    const { inputs, outputs } = linear;
    const trained = withInitializers(adapted, values);
    const names = [loraA('w'), loraB('w')];
    const gradients = gradientGraph(trained, await inferTypes(trained), 'loss', names);
    const fed = names.map((name) => {
      const wide = name === loraA('w') ? [inputs, rank] : [rank, outputs];
      return [name, { dtype: 'F32', shape: wide, data: values.get(name)! }] as const;
    });
    const [dA, dB] = await run(gradients, { x, ...Object.fromEntries(fed) }, names.map(gradientName));

    const merged = mergeAdapters(model, SPEC, values);
    const ofWeight = gradientGraph(merged, await inferTypes(merged), 'loss', ['w']);
    const w = { dtype: 'F32', shape: linear.weight, data: floatsOf(merged, 'w') } as const;
    const [dW] = await run(ofWeight, { x, w }, [gradientName('w')]);
    const isTransposed = linear.weight[0] !== inputs;
    const at = (i: number, j: number) => dW![isTransposed ? j * inputs + i : i * outputs + j]!;
    const [a, b] = [values.get(loraA('w'))!, values.get(loraB('w'))!];
    const expectedA = a.map((_, index) => {
      const [i, k] = [Math.floor(index / rank), index % rank];
      let sum = 0;
      for (let j = 0; j < outputs; j++) sum += at(i, j) * b[k * outputs + j]!;
      return SCALE * sum;
    });
    const expectedB = b.map((_, index) => {
      const [k, j] = [Math.floor(index / outputs), index % outputs];
      let sum = 0;
      for (let i = 0; i < inputs; i++) sum += a[i * rank + k]! * at(i, j);
      return SCALE * sum;
    });
    expectClose(dA!, [...expectedA]);
    expectClose(dB!, [...expectedB]);
  });
});

it('adapts a transformer as PyTorch exports it: every projection, but not the tied embedding', async () => {
  const file = new URL('../fixtures/gradients/gpt_tiny.onnx', import.meta.url);
  const model = decodeModel(new Uint8Array(await readFile(file)));
  const weights = linearWeights(model, ['loss']);
  expect(weights.map(({ name }) => name)).toEqual(
    [0, 1].flatMap((b) => ['qkv', 'o', 'up', 'dn'].map((layer) => `b.${b}.${layer}.weight`)),
  );
  const adapted = addAdapters(model, SPEC, 1, ['loss']);
  const values = new Map(
    adapted.parameters.map((name, i) => {
      const tensor = adapted.model.graph.initializer.find((each) => each.name === name)!;
      const count = tensor.dims.reduce((product, dimension) => product * dimension, 1);
      return [name, randomValues(count, i).map((value) => value / 10)];
    }),
  );
  const feeds = Object.fromEntries(
    signatureOf(model).inputs.map(({ name, dtype, shape }) => {
      expect(dtype).toBe('I64');
      const sizes = shape.map(Number);
      const count = sizes.reduce((product, dimension) => product * dimension, 1);
      return [
        name,
        { dtype, shape: sizes, data: BigInt64Array.from({ length: count }, (_, i) => BigInt(i % 7)) },
      ];
    }),
  );
  const [[before], [expected], [actual]] = await Promise.all([
    run(model, feeds, ['loss']).then((outputs) => outputs[0]!),
    run(withInitializers(adapted.model, values), feeds, ['loss']).then((outputs) => outputs[0]!),
    run(mergeAdapters(model, SPEC, values), feeds, ['loss']).then((outputs) => outputs[0]!),
  ]);
  expect(actual).not.toBeCloseTo(before!, 2);
  expectClose([actual!], [expected!]);
});
