/**
 * The ONNX project's own numbers for Adam, Adagrad and Momentum of `ai.onnx.preview.training`
 * (test/fixtures/onnx-backend/README.md), for the plain code and for the kernels. Those operators number steps so
 * that 0 means "no corrections for the first steps"; all of these tests ask for that.
 *
 * - Adam: step 0 leaves the bias corrections out. Ours fade with the steps and are gone, to the last bit, after enough
 *   of them. With corrections the two differ in where ε stands, as the two forms in the paper do: ONNX adds it to √v,
 *   we to the corrected √v̂ of algorithm 1. So ONNX's ε is ours times √(1−β₂ᵗ).
 * - Adagrad: its `decay_factor` is a schedule, R/(1 + T·decay_factor), which is R at step 0.
 * - Momentum: its `beta` weighs gradients after step 0; ours is PyTorch's without dampening, which is a `beta` of 1.
 * - `norm_coefficient` is L2 regularization: our weight decay, but for AdamW and Lion.
 */
import { readFile, readdir } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { createWorkspace } from '../../../cloud/training/engine/workspace.ts';
import { OptimizerSpec } from '../../../core/contracts/optimizer.ts';
import { floatAttribute, stringAttribute } from '../../../core/onnx/attributes.ts';
import { MODEL, type NodeProto, TENSOR } from '../../../core/onnx/proto.ts';
import { tensorValue } from '../../../core/onnx/tensor.ts';
import { readMessage } from '../../../core/onnx/wire.ts';
import { createOptimizer } from '../../../core/optimizers/optimizer.ts';

const FIXTURES = new URL('../../fixtures/onnx-backend/', import.meta.url);
/** 0.95^step and all others there are have become 0 beside 1. */
const LATE = 1_000_000;

/** Operator → our spec, from its attributes; their defaults are the operator's. */
const SPECS: Readonly<Record<string, (node: NodeProto) => object>> = {
  Adam: (node) => ({
    kind: 'adam',
    beta1: floatAttribute(node, 'alpha', 0.9),
    beta2: floatAttribute(node, 'beta', 0.999),
    epsilon: floatAttribute(node, 'epsilon', 1e-6),
  }),
  Adagrad: (node) => ({ kind: 'adagrad', epsilon: floatAttribute(node, 'epsilon', 1e-6) }),
  Momentum: (node) => ({
    kind: 'sgd',
    momentum: floatAttribute(node, 'alpha', 0),
    nesterov: stringAttribute(node, 'mode', '') === 'nesterov',
  }),
};

/** Numbers that were computed with something else than their model says: its ε is left at the default of 1e-6. */
const CORRECTIONS: Readonly<Record<string, object>> = { test_adam_multiple: { epsilon: 1e-2 } };

/** The flat vectors that tensors of a test make: `groups` runs of equally many, one behind the other. */
function flatten(tensors: readonly Float32Array[], groups: number): Float32Array[] {
  const each = tensors.length / groups;
  return Array.from({ length: groups }, (_, group) =>
    Float32Array.from(tensors.slice(group * each, (group + 1) * each).flatMap((tensor) => [...tensor])),
  );
}

async function readCase(name: string) {
  const read = async (file: string) => new Uint8Array(await readFile(new URL(`${name}/${file}`, FIXTURES)));
  const node = readMessage(MODEL, await read('model.onnx')).graph!.node[0]!;
  const tensor = async (file: string) =>
    tensorValue(readMessage(TENSOR, await read(`test_data_set_0/${file}.pb`))).data;
  const inputs = await Promise.all(node.input.map((_, i) => tensor(`input_${i}`)));
  const outputs = await Promise.all(node.output.map((_, i) => tensor(`output_${i}`)));
  return { node, inputs, outputs: outputs as Float32Array[] };
}

const names = (await readdir(FIXTURES)).filter((name) => /^test_(ada|momentum|nesterov)/.test(name));

it('all seven are there', () => expect(names).toHaveLength(7));

it.each(names)('%s', async (name) => {
  const { node, inputs, outputs } = await readCase(name);
  const [rate, step, ...tensors] = inputs;
  expect(step).toEqual(BigInt64Array.of(0n));
  const optimizer = OptimizerSpec.parse({
    ...SPECS[node.opType]!(node),
    ...CORRECTIONS[name],
    weightDecay: floatAttribute(node, 'norm_coefficient', 0),
  });
  const { slots, update } = createOptimizer(optimizer);
  const [x, g, ...given] = flatten(tensors as Float32Array[], 2 + slots.length);
  const expected = flatten(outputs, 1 + slots.length);
  const learningRate = Number(rate![0]);

  const parameters = x!.slice();
  const state = Object.fromEntries(slots.map((slot, i) => [slot, Float32Array.from(given[i]!)]));
  update({ parameters, gradient: g!, state, step: LATE, learningRate });

  const workspace = createWorkspace({ optimizer, length: x!.length });
  workspace.parameters.set(x!);
  workspace.gradient.set(g!);
  for (const [i, slot] of slots.entries()) workspace.state[slot]!.set(given[i]!);
  workspace.update(LATE, learningRate);

  for (const actual of [
    [parameters, ...Object.values(state)],
    [workspace.parameters, ...Object.values(workspace.state)],
  ])
    for (const [i, vector] of expected.entries())
      for (const [j, value] of vector.entries())
        expect(Math.abs(actual[i]![j]! / value - 1)).toBeLessThan(2e-6);
});
