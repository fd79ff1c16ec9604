import { describe, expect, it } from 'vitest';
import { InitializeRule } from '../../../core/contracts/parameters.ts';
import { initializedInputs, initializeParameters } from '../../../core/finetuning/initialize.ts';
import { rolesIn, type Role } from '../../../core/finetuning/roles.ts';
import type { Attributes } from '../../../core/onnx/attributes.ts';
import { GraphBuilder, nodeProto } from '../../../core/onnx/builder.ts';
import { buildMlp } from '../../../core/onnx/builders/mlp.ts';
import { decodeModel, encodeModel } from '../../../core/onnx/model.ts';
import { signatureOf } from '../../../core/onnx/signature.ts';
import { floatsOf } from './models.ts';

const weight = (fanIn: number, fanOut: number): Role => ({ kind: 'weight', fanIn, fanOut });

describe('roles', () => {
  it.each<[string, string[], Attributes, number[], Role | undefined]>([
    ['MatMul', ['x', 'w'], {}, [3, 5], weight(3, 5)],
    ['MatMul', ['w', 'x'], {}, [3, 5], weight(5, 3)],
    ['MatMul', ['x', 'w'], {}, [2, 3, 5], weight(3, 5)],
    ['MatMul', ['x', 'w'], {}, [3], weight(3, 1)],
    ['Gemm', ['x', 'w'], {}, [3, 5], weight(3, 5)],
    ['Gemm', ['x', 'w'], { transB: 1 }, [5, 3], weight(3, 5)],
    ['Gemm', ['w', 'x'], {}, [5, 3], weight(3, 5)],
    ['Gemm', ['w', 'x'], { transA: 1 }, [3, 5], weight(3, 5)],
    ['Gemm', ['x', 'y', 'w'], {}, [5], { kind: 'bias' }],
    // 8 kernels of 3 channels, 5 × 4 each.
    ['Conv', ['x', 'w'], {}, [8, 3, 5, 4], weight(60, 160)],
    ['Conv', ['x', 'w'], { group: 4 }, [8, 3, 5, 4], weight(60, 40)],
    ['ConvTranspose', ['x', 'w'], { group: 2 }, [8, 3, 5, 4], weight(80, 60)],
    ['Conv', ['x', 'y', 'w'], {}, [8], { kind: 'bias' }],
    ['LayerNormalization', ['x', 'w'], {}, [8], { kind: 'scale' }],
    ['BatchNormalization', ['x', 'y', 'y', 'w', 'y'], {}, [8], { kind: 'bias' }],
    ['BatchNormalization', ['x', 'y', 'y', 'y', 'w'], {}, [8], { kind: 'scale' }],
    ['Gather', ['w', 'x'], {}, [8, 2], undefined],
    ['Add', ['x', 'w'], {}, [8], undefined],
  ])('%s %j %j of %j', (op, inputs, attributes, shape, role) => {
    expect(rolesIn([nodeProto(op, inputs, ['z'], attributes)])('w', shape)).toEqual(role);
  });

  it('are seen through a Transpose, and in an Add behind a product', () => {
    const nodes = [
      nodeProto('Transpose', ['w'], ['t'], { perm: [1, 0] }),
      nodeProto('MatMul', ['x', 't'], ['h']),
      nodeProto('Add', ['b', 'h'], ['y']),
    ];
    expect(rolesIn(nodes)('w', [5, 3])).toEqual(weight(3, 5));
    expect(rolesIn(nodes)('b', [5])).toEqual({ kind: 'bias' });
  });
});

const MLP = decodeModel(buildMlp({ inputs: 300, hidden: [200], classes: 100, seed: 1 }));
const rules = (...given: unknown[]) => given.map((rule) => InitializeRule.parse(rule));
const initialized = (...given: unknown[]) => initializeParameters(MLP, rules(...given), 7);
const deviation = (values: Float32Array) =>
  Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);

describe('initialization', () => {
  it('kaiming: variance 2/in, biases zero', () => {
    const biased = initialized({ match: '*.bias', with: 'ones' });
    const model = initializeParameters(biased, rules({ match: '*', with: 'kaiming' }), 7);
    const values = floatsOf(model, 'layer1.weight');
    expect(deviation(values) / Math.sqrt(2 / 300)).toBeCloseTo(1, 2);
    expect(Math.max(...values)).toBeLessThanOrEqual(Math.sqrt(6 / 300));
    expect(floatsOf(biased, 'layer1.bias').every((x) => x === 1)).toBe(true);
    expect(floatsOf(model, 'layer1.bias').every((x) => x === 0)).toBe(true);
  });

  it('xavier: variance 2/(in + out); normal: the deviation asked for', () => {
    const model = initialized(
      { match: 'layer1.*', with: 'xavier' },
      { match: '*2.weight', with: 'normal', std: 0.3 },
    );
    expect(deviation(floatsOf(model, 'layer1.weight')) / Math.sqrt(2 / 500)).toBeCloseTo(1, 2);
    expect(deviation(floatsOf(model, 'layer2.weight')) / 0.3).toBeCloseTo(1, 1);
    expect(floatsOf(model, 'layer2.bias')).toEqual(floatsOf(MLP, 'layer2.bias'));
  });

  it('the first rule that matches decides, and the seed with the parameter', () => {
    const both = initialized({ match: '*.bias', with: 'ones' }, { match: '*', with: 'kaiming' });
    const one = initialized({ match: '*', with: 'kaiming' });
    expect(floatsOf(both, 'layer1.bias')[0]).toBe(1);
    expect(floatsOf(both, 'layer2.weight')).toEqual(floatsOf(one, 'layer2.weight'));
    expect(encodeModel(initialized({ match: '*', with: 'kaiming' }))).toEqual(encodeModel(one));
    const other = initializeParameters(MLP, rules({ match: '*', with: 'kaiming' }), 8);
    expect(encodeModel(other)).not.toEqual(encodeModel(one));
  });

  it('without rules it is the model itself', () => {
    expect(initializeParameters(MLP, [], 0)).toBe(MLP);
  });

  it('refuses a rule that changes nothing', () => {
    expect(() => initialized({ match: 'layer3.*', with: 'zeros' })).toThrow(
      /parameters\.initialize\[0\]\.match: layer3\.\* matches no parameter .*layer1\.weight, layer1\.bias/,
    );
    expect(() => initialized({ match: '*', with: 'zeros' }, { match: '*.bias', with: 'ones' })).toThrow(
      /initialize\[1\]/,
    );
  });
});

describe('inputs as parameters', () => {
  const graph = new GraphBuilder(['h', 'y']);
  graph.input({ name: 'x', dtype: 'F32', shape: ['batch', 4] });
  graph.input({ name: 'w', dtype: 'F32', shape: [4, 3] });
  graph.input({ name: 'shift', dtype: 'F32', shape: [3] });
  graph.op('MatMul', ['x', 'w'], {}, 'h');
  graph.op('Mul', ['h', 'shift'], {}, 'y');
  graph.output({ name: 'y', dtype: 'F32', shape: ['batch', 3] });
  const model = graph.build('declared');

  it('become initializers where a rule matches; what has a symbolic dimension stays an input', () => {
    const all = rules({ match: 'w', with: 'xavier' }, { match: '*', with: 'ones' });
    const filled = initializeParameters(model, all, 0);
    expect(signatureOf(filled).inputs.map(({ name }) => name)).toEqual(['x']);
    expect([...initializedInputs(model, all)]).toEqual(['w', 'shift']);
    expect(floatsOf(filled, 'w')).toHaveLength(12);
    expect(floatsOf(filled, 'w').some((value) => value !== 0)).toBe(true);
    expect([...floatsOf(filled, 'shift')]).toEqual([1, 1, 1]);
  });

  it('are refused to kaiming where their use gives no fan-in', () => {
    expect(() => initializeParameters(model, rules({ match: '*', with: 'kaiming' }), 0)).toThrow(
      /how shift is used gives no fan-in, which kaiming needs; say normal, zeros or ones/,
    );
  });
});

describe('rules', () => {
  it('a standard deviation is for normal alone', () => {
    expect(InitializeRule.parse({ match: '*', with: 'normal' })).toMatchObject({ std: 0.02 });
    expect(InitializeRule.safeParse({ match: '*', with: 'zeros', std: 1 }).success).toBe(false);
  });
});
