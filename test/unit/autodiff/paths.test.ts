/** Which tensors can be trained, and what is said about those that cannot. */
import { describe, expect, it } from 'vitest';
import { gradientGraph } from '../../../core/autodiff/gradient-graph.ts';
import { buildTrainingGraph, type TrainingRequest } from '../../../core/autodiff/training-graph.ts';
import { Fault } from '../../../core/errors.ts';
import { GraphBuilder } from '../../../core/onnx/builder.ts';
import type { Attributes } from '../../../core/onnx/attributes.ts';
import type { TensorSpec } from '../../../core/tensors/tensor.ts';
import type { DType } from '../../../core/tensors/dtypes.ts';

interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly dtype?: DType;
  readonly attributes?: Attributes;
}

/** Logits x·w + f(v), where the nodes compute f: every value is [batch, 2] or broadcasts to it. */
function modelOf(nodes: readonly Node[]) {
  const graph = new GraphBuilder(['f', 'product', 'logits', ...nodes.map((node) => node.output)]);
  graph.input({ name: 'x', dtype: 'F32', shape: ['batch', 2] });
  graph.initializer('w', { dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) });
  graph.initializer('v', { dtype: 'F32', shape: [2], data: Float32Array.of(0.4, 1.6) });
  const types = new Map<string, TensorSpec>();
  const type = (name: string, dtype: DType, shape: (number | string)[]) =>
    types.set(name, { name, dtype, shape });
  for (const name of ['w', 'v']) type(name, 'F32', [2]);
  for (const name of ['x', 'product', 'logits']) type(name, 'F32', ['batch', 2]);
  type('loss', 'F32', []);
  for (const { op, inputs, output, dtype = 'F32', attributes } of nodes) {
    graph.op(op, inputs, attributes, output);
    type(output, dtype, [2]);
  }
  graph.op('Mul', ['x', 'w'], {}, 'product');
  graph.op('Add', ['product', 'f'], {}, 'logits');
  graph.op('ReduceSum', ['logits'], { keepdims: 0 }, 'loss');
  graph.output({ name: 'logits', dtype: 'F32', shape: ['batch', 2] });
  graph.output({ name: 'loss', dtype: 'F32', shape: [] });
  return { model: graph.build('m'), types };
}

const trained = (nodes: readonly Node[], parameters?: readonly string[]) => {
  const { model, types } = modelOf(nodes);
  const request: TrainingRequest = {
    inputs: { x: { tensor: 'x', dtype: 'F32' } },
    loss: { kind: 'softmax-cross-entropy', output: 'logits', target: 'label' },
    target: { dtype: 'U8', shape: [] },
    ...(parameters === undefined ? {} : { parameters }),
  };
  return buildTrainingGraph(model, types, request).parameters.map((slot) => slot.name);
};

function faultOf(run: () => unknown): Fault {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown;
    throw thrown;
  }
  throw new Error('nothing was thrown');
}

const node = (op: string, inputs: string[], output = 'f', rest: Partial<Node> = {}): Node => ({
  op,
  inputs,
  output,
  ...rest,
});

/** v takes part in a comparison only; the integers it gives are cast back. */
const COMPARED = [
  node('Greater', ['x', 'v'], 'mask', { dtype: 'BOOL' }),
  node('Cast', ['mask'], 'f', { attributes: { to: 1 } }),
];
const BLOCKED: readonly (readonly [string, readonly Node[], RegExp])[] = [
  ...['Round', 'Floor', 'Ceil', 'Sign', 'Hardmax'].map(
    (op) => [op, [node(op, ['v'])], new RegExp(`through ${op} node f`)] as const,
  ),
  ['Round behind a product', [node('Mul', ['v', 'v'], 'vv'), node('Round', ['vv'])], /Round node f/],
  [
    'a cast to integers',
    [
      node('Cast', ['v'], 'i', { dtype: 'I64', attributes: { to: 7 } }),
      node('Cast', ['i'], 'f', { attributes: { to: 1 } }),
    ],
    /through Cast node i/,
  ],
];

describe('a tensor the loss depends on by a non-differentiable path only', () => {
  it.each(BLOCKED)('is refused where it is asked for: %s', (_, nodes, message) => {
    const fault = faultOf(() => trained(nodes, ['w', 'v']));
    expect(fault.message).toMatch(/^v cannot be trained: .*non-differentiable path/);
    expect(fault.message).toMatch(message);
    expect([fault.code, fault.field]).toEqual(['unprocessable', 'parameters']);
    const { model, types } = modelOf(nodes);
    expect(faultOf(() => gradientGraph(model, types, 'loss', ['v'])).message).toMatch(message);
  });

  it.each(BLOCKED)('is not left out in silence where nothing was asked for: %s', (_, nodes) => {
    expect(faultOf(() => trained(nodes)).message).toMatch(/name the parameters to train/);
    expect(trained(nodes, ['w'])).toEqual(['w']);
  });

  it('is a constant of the formula where it is only compared with, unless asked for', () => {
    expect(trained(COMPARED)).toEqual(['w']);
    expect(faultOf(() => trained(COMPARED, ['v'])).message).toMatch(/through Greater node mask/);
  });

  it('is a setting where an operator is only configured by it', () => {
    const nodes = [node('CastLike', ['x', 'v'])];
    expect(trained(nodes)).toEqual(['w']);
    expect(faultOf(() => trained(nodes, ['v'])).message).toMatch(/through CastLike node f/);
  });
});

it('a second, differentiable path is enough', () => {
  const nodes = [node('Round', ['v'], 'r'), node('Sub', ['v', 'r'])];
  expect(trained(nodes)).toEqual(['w', 'v']);
});

it('a tensor that does not influence the loss is left out, and refused where asked for', () => {
  const nodes = [node('Round', ['v'], 'unused'), node('Relu', ['x'])];
  expect(trained(nodes)).toEqual(['w']);
  expect(faultOf(() => trained(nodes, ['v'])).message).toMatch(/does not depend on v/);
});

it.each([
  ['LSTM', /LSTM node f cannot be trained through: unroll it .*MatMul.*; gradients are known for/],
  ['GRU', /unroll it/],
  ['If', /without the condition/],
  ['Loop', /control flow is not differentiated/],
  ['Mod', /Mod node f cannot be trained through: gradients are known for Abs, /],
])('says what to do about %s', (op, message) => {
  const fault = faultOf(() => trained([node(op, ['v', 'x'])]));
  expect(fault.message).toMatch(message);
  expect(fault.field).toBe(`model.graph.node.${op}`);
});
