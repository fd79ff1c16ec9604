import { describe, expect, it } from 'vitest';
import { gradientGraph } from '../../../core/autodiff/gradient-graph.ts';
import {
  buildTrainingGraph,
  rulesOf,
  parameterValues,
  type TrainingRequest,
} from '../../../core/autodiff/training-graph.ts';
import { Fault } from '../../../core/errors.ts';
import { GraphBuilder } from '../../../core/onnx/builder.ts';
import { buildMlp } from '../../../core/onnx/builders/mlp.ts';
import { decodeModel, type Model } from '../../../core/onnx/model.ts';
import { signatureOf } from '../../../core/onnx/signature.ts';
import type { TensorSpec } from '../../../core/tensors/tensor.ts';

type Shapes = Record<string, (number | string)[]>;

/** Types of F32 values, as a runtime would infer them. */
const typed = (shapes: Shapes): Map<string, TensorSpec> =>
  new Map(Object.entries(shapes).map(([name, shape]) => [name, { name, dtype: 'F32', shape }]));

const MLP = decodeModel(buildMlp({ inputs: 4, hidden: [3], classes: 2, inputName: 'image' }));
const MLP_TYPES = typed({
  image: ['batch', 4],
  'layer1.weight': [4, 3],
  'layer1.bias': [3],
  Gemm_0: ['batch', 3],
  Relu_0: ['batch', 3],
  'layer2.weight': [3, 2],
  'layer2.bias': [2],
  Gemm_1: ['batch', 2],
  probabilities: ['batch', 2],
});
const REQUEST: TrainingRequest = {
  inputs: { image: { tensor: 'pixels', dtype: 'U8', divisor: 255 } },
  loss: { kind: 'softmax-cross-entropy', output: 'probabilities', target: 'label' },
  target: { dtype: 'U8', shape: [] },
};
const build = (change: Partial<TrainingRequest> = {}) =>
  buildTrainingGraph(MLP, MLP_TYPES, { ...REQUEST, ...change });

function faultOf(run: () => unknown): Fault {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown;
    throw thrown;
  }
  throw new Error('nothing was thrown');
}

/** x → op → y, with a parameter w where the op takes two. */
function modelOf(
  op: string,
  inputs: string[],
  shapes: Shapes,
): { model: Model; types: Map<string, TensorSpec> } {
  const graph = new GraphBuilder();
  graph.initializer('w', { dtype: 'F32', shape: [2], data: new Float32Array([1, 2]) });
  graph.input({ name: 'x', dtype: 'F32', shape: shapes['x'] ?? [2] });
  graph.op(op, inputs, {}, 'y');
  graph.op('ReduceSum', ['y'], { keepdims: 0 }, 'loss');
  graph.output({ name: 'loss', dtype: 'F32', shape: [] });
  return { model: graph.build('m'), types: typed({ w: [2], x: [2], y: [2], loss: [], ...shapes }) };
}

describe('training graph', () => {
  it('takes data and parameters, gives loss, count, hits and gradients, by fixed names', () => {
    const { graph, parameters, initial } = build();
    const { inputs, outputs } = signatureOf(decodeModel(graph));
    expect(inputs).toEqual([
      { name: 'data:pixels', dtype: 'U8', shape: ['batch', 4] },
      { name: 'data:label', dtype: 'U8', shape: ['batch'] },
      { name: 'param:layer1.weight', dtype: 'F32', shape: [4, 3] },
      { name: 'param:layer1.bias', dtype: 'F32', shape: [3] },
      { name: 'param:layer2.weight', dtype: 'F32', shape: [3, 2] },
      { name: 'param:layer2.bias', dtype: 'F32', shape: [2] },
    ]);
    expect(outputs.map((output) => output.name)).toEqual([
      'loss:mean',
      'loss:count',
      'metric:accuracy',
      'grad:layer1.weight',
      'grad:layer1.bias',
      'grad:layer2.weight',
      'grad:layer2.bias',
    ]);
    expect(parameters.map(({ name, offset, length }) => [name, offset, length])).toEqual([
      ['layer1.weight', 0, 12],
      ['layer1.bias', 12, 3],
      ['layer2.weight', 15, 6],
      ['layer2.bias', 21, 2],
    ]);
    expect(initial).toHaveLength(23);
    expect(rulesOf(decodeModel(graph))).toEqual([{ tensor: 'label', what: 'class id', low: 0, high: 1 }]);
    expect(parameterValues(parameters, initial).get('layer2.weight')?.buffer).toBe(initial.buffer);
  });

  it('is the same bytes each time, and computes nothing nobody asks for', () => {
    expect(build().graph).toEqual(build().graph);
    const operators = decodeModel(build().graph).graph.node.map((node) => node.opType);
    // The probabilities are not needed, nor the gradient of the images.
    expect(operators).not.toContain('Softmax');
    expect(operators.filter((op) => op === 'Gemm')).toHaveLength(2 + 3);
  });

  it('trains only what it is asked to', () => {
    const { parameters, graph } = build({ parameters: ['layer2.bias'] });
    expect(parameters.map((slot) => slot.name)).toEqual(['layer2.bias']);
    expect(decodeModel(graph).graph.initializer.map((tensor) => tensor.name)).toContain('layer1.weight');
  });

  it('offers every F32 initializer that the loss depends on, where a function chooses', () => {
    const offered: (readonly [string, number])[] = [];
    const { parameters } = build({
      parameters(candidates) {
        offered.push(...candidates.map(({ name, shape }) => [name, shape.length] as const));
        return ['layer2.weight', 'layer1.bias'];
      },
    });
    expect(offered).toEqual([
      ['layer1.weight', 2],
      ['layer1.bias', 1],
      ['layer2.weight', 2],
      ['layer2.bias', 1],
    ]);
    expect(parameters.map((slot) => slot.name)).toEqual(['layer1.bias', 'layer2.weight']);
  });

  it.each<[string, Partial<TrainingRequest>, Fault['code'], string, RegExp]>([
    [
      'an unknown output',
      { loss: { kind: 'softmax-cross-entropy', output: 'scores', target: 'label' } },
      'unprocessable',
      'loss.output',
      /no output scores: it has probabilities/,
    ],
    ['an input nothing feeds', { inputs: {} }, 'unprocessable', 'inputs.image', /nothing feeds/],
    [
      'an input the model lacks',
      { inputs: { ...REQUEST.inputs, mask: { tensor: 'm', dtype: 'F32' } } },
      'unprocessable',
      'inputs.mask',
      /no input mask/,
    ],
    [
      'fractional class ids',
      { target: { dtype: 'F32', shape: [] } },
      'unprocessable',
      'loss.target',
      /must be integers/,
    ],
    [
      'targets of another shape',
      { target: { dtype: 'U8', shape: [3] } },
      'unprocessable',
      'loss.target',
      /a row is \[3\]: class ids for Gemm_1 are \[\], probabilities \[2\]/,
    ],
    [
      'class ids that are divided',
      { target: { dtype: 'U8', shape: [], divisor: 255 } },
      'unprocessable',
      'loss.target',
      /must be integers, this is U8, divided by 255/,
    ],
    [
      'a mask of another shape',
      {
        loss: { kind: 'softmax-cross-entropy', output: 'probabilities', target: 'label', mask: 'm' },
        mask: { dtype: 'BOOL', shape: [2] },
      },
      'unprocessable',
      'loss.mask',
      /a row is \[2\]: there is one weight per element, \[\]/,
    ],
    [
      'a target that would be broadcast',
      {
        loss: { kind: 'mean-squared-error', output: 'probabilities', target: 'y' },
        target: { dtype: 'F32', shape: [] },
      },
      'unprocessable',
      'loss.target',
      /a row is \[\]: probabilities has \[2\]/,
    ],
    [
      'an output that is no scalar as the loss',
      { loss: { kind: 'output', output: 'probabilities' } },
      'unprocessable',
      'loss.output',
      /a loss is a floating-point scalar/,
    ],
    [
      'rows of another shape',
      { inputs: { image: { tensor: 'pixels', dtype: 'U8', shape: [2, 2] } } },
      'unprocessable',
      'inputs.image',
      /pixels is \[2, 2\] per row: input image asks for \[4\]/,
    ],
    ['an unknown parameter', { parameters: ['w'] }, 'invalid', 'parameters', /no F32 initializer w/],
  ])('refuses %s', (_, change, code, field, message) => {
    const fault = faultOf(() => build(change));
    expect(fault.message).toMatch(message);
    expect([fault.code, fault.field]).toEqual([code, field]);
  });

  it('refuses a fixed batch size and a symbolic number of classes', () => {
    const fixed = new Map(MLP_TYPES).set('Gemm_1', { name: 'Gemm_1', dtype: 'F32', shape: ['batch', 'n'] });
    expect(faultOf(() => buildTrainingGraph(MLP, fixed, REQUEST)).field).toBe('loss.output');
    const { graph } = MLP;
    const input = [{ ...graph.input[0]!, type: graph.output[0]!.type }].map((each) => ({
      ...each,
      type: {
        denotation: '',
        tensorType: {
          elemType: 1,
          shape: { dim: [8, 4].map((d) => ({ dimValue: d, dimParam: '', denotation: '' })) },
        },
      },
    }));
    const model = { ...MLP, graph: { ...graph, input } };
    expect(faultOf(() => buildTrainingGraph(model, MLP_TYPES, REQUEST)).message).toMatch(/must be symbolic/);
  });
});

describe('gradient graph', () => {
  it('names the operator it has no rule for, its node, and what there is', () => {
    const { model, types } = modelOf('Mod', ['w', 'x'], {});
    const fault = faultOf(() => gradientGraph(model, types, 'loss', ['w']));
    expect(fault.code).toBe('unprocessable');
    expect(fault.field).toBe('model.graph.node.Mod');
    expect(fault.message).toMatch(/Mod node y cannot be trained through: .*Gemm.*Relu/);
  });

  it('does not mind an operator without a rule beside the path', () => {
    const { model, types } = modelOf('Mul', ['w', 'x'], { h: [2] });
    const [product, ...rest] = model.graph.node;
    const beside = { ...product!, opType: 'NonZero', input: ['x'], output: ['h'] };
    const node = [beside, { ...product!, input: ['w', 'h'] }, ...rest];
    const graph = gradientGraph({ ...model, graph: { ...model.graph, node } }, types, 'loss', ['w']);
    expect(graph.graph.node.map((each) => each.opType)).toContain('NonZero');
  });

  it('refuses an operator of another domain even where its name is known', () => {
    const { model, types } = modelOf('Relu', ['w'], {});
    const node = model.graph.node.map((each) =>
      each.opType === 'Relu' ? { ...each, domain: 'acme' } : each,
    );
    const fault = faultOf(() =>
      gradientGraph({ ...model, graph: { ...model.graph, node } }, types, 'loss', ['w']),
    );
    expect(fault.message).toMatch(/^acme\.Relu/);
  });

  it('refuses what is no scalar output, no parameter, or has no influence', () => {
    const { model, types } = modelOf('Relu', ['x'], {});
    expect(faultOf(() => gradientGraph(model, types, 'y', ['w'])).message).toMatch(/no output y/);
    expect(faultOf(() => gradientGraph(model, types, 'loss', ['v'])).message).toMatch(/initializer v/);
    expect(faultOf(() => gradientGraph(model, types, 'loss', ['w'])).message).toMatch(/does not depend on w/);
    const vector = typed({ w: [2], x: [2], y: [2], loss: [2] });
    expect(faultOf(() => gradientGraph(model, vector, 'loss', ['w'])).message).toMatch(
      /must be a floating-point scalar/,
    );
  });
});
