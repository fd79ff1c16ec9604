import { describe, expect, it } from 'vitest';
import { buildMlp } from '../../../core/onnx/builders/mlp.ts';
import { decodeModel } from '../../../core/onnx/model.ts';
import { signatureOf } from '../../../core/onnx/signature.ts';
import { tensorValue } from '../../../core/onnx/tensor.ts';

const SPEC = { inputs: 784, hidden: [128], classes: 10, seed: 1, inputName: 'image' };

describe('MLP builder', () => {
  it('builds the declared graph', () => {
    const model = decodeModel(buildMlp(SPEC));
    expect(model.graph.node.map((node) => node.opType)).toEqual(['Gemm', 'Relu', 'Gemm', 'Softmax']);
    expect(signatureOf(model)).toEqual({
      inputs: [{ name: 'image', dtype: 'F32', shape: ['batch', 784] }],
      outputs: [{ name: 'probabilities', dtype: 'F32', shape: ['batch', 10] }],
    });
  });

  it('gives the same bytes for a seed, others for another', () => {
    expect(buildMlp(SPEC)).toEqual(buildMlp(SPEC));
    expect(buildMlp(SPEC)).not.toEqual(buildMlp({ ...SPEC, seed: 2 }));
  });

  it('scales weights by fan-in: variance 2/in before a Relu, 1/in before the Softmax', () => {
    const weights = decodeModel(buildMlp(SPEC)).graph.initializer.map((tensor) => ({
      name: tensor.name,
      values: Array.from(tensorValue(tensor).data, Number),
    }));
    const variance = (values: number[]) => values.reduce((sum, x) => sum + x * x, 0) / values.length;
    expect(weights.map(({ name }) => name)).toEqual([
      'layer1.weight',
      'layer1.bias',
      'layer2.weight',
      'layer2.bias',
    ]);
    expect(variance(weights[0]!.values) * 784).toBeCloseTo(2, 1);
    expect(variance(weights[2]!.values) * 128).toBeCloseTo(1, 0);
    expect(weights[1]!.values.every((x) => x === 0)).toBe(true);
  });

  it.each([
    ['sigmoid', ['Gemm', 'Relu', 'Gemm', 'Sigmoid']],
    ['none', ['Gemm', 'Relu', 'Gemm']],
  ] as const)('ends in %s where the task asks for it, of any width', (activation, operators) => {
    const model = decodeModel(buildMlp({ ...SPEC, classes: 1, activation, outputName: 'y' }));
    expect(model.graph.node.map((node) => node.opType)).toEqual(operators);
    expect(signatureOf(model).outputs).toEqual([{ name: 'y', dtype: 'F32', shape: ['batch', 1] }]);
  });

  it('names the field that is wrong', () => {
    expect(() => buildMlp({ ...SPEC, classes: 1 })).toThrow(/classes/);
    expect(() => buildMlp({ ...SPEC, hidden: [0] })).toThrow(/hidden\[0\]/);
  });
});
