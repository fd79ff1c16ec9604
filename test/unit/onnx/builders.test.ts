import { describe, expect, it } from 'vitest';
import { buildCnn } from '../../../core/onnx/builders/cnn.ts';
import { buildGpt } from '../../../core/onnx/builders/gpt.ts';
import { decodeModel } from '../../../core/onnx/model.ts';
import { signatureOf } from '../../../core/onnx/signature.ts';
import { tensorValue } from '../../../core/onnx/tensor.ts';

const CNN = { input: [3, 12, 8] as [number, number, number], filters: [4, 6], hidden: [5], classes: 3 };
const GPT = { vocabulary: 11, layers: 2, heads: 2, width: 8, context: 6 };

/** Parameters by name: their shapes. */
const shapes = (bytes: Uint8Array) =>
  Object.fromEntries(
    decodeModel(bytes)
      .graph.initializer.filter(({ dataType, dims }) => dataType === 1 && dims.length > 0)
      .map(({ name, dims }) => [name, dims]),
  );
const deviation = (bytes: Uint8Array, name: string) => {
  const tensor = decodeModel(bytes).graph.initializer.find((each) => each.name === name)!;
  const values = Array.from(tensorValue(tensor).data, Number);
  return Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
};

describe('CNN builder', () => {
  it('halves the image in each block, and declares what it takes and gives', () => {
    const bytes = buildCnn(CNN);
    expect(shapes(bytes)).toEqual({
      'conv1.weight': [4, 3, 3, 3],
      'conv1.bias': [4],
      'conv2.weight': [6, 4, 3, 3],
      'conv2.bias': [6],
      'dense1.weight': [6 * 3 * 2, 5],
      'dense1.bias': [5],
      'dense2.weight': [5, 3],
      'dense2.bias': [3],
    });
    expect(signatureOf(decodeModel(bytes))).toEqual({
      inputs: [{ name: 'image', dtype: 'F32', shape: ['batch', 3, 12, 8] }],
      outputs: [{ name: 'probabilities', dtype: 'F32', shape: ['batch', 3] }],
    });
  });

  it('takes flat rows where asked, with the same weights', () => {
    const flat = buildCnn({ ...CNN, flat: true });
    expect(signatureOf(decodeModel(flat)).inputs[0]?.shape).toEqual(['batch', 288]);
    expect(shapes(flat)).toEqual(shapes(buildCnn(CNN)));
    expect(deviation(flat, 'conv2.weight')).toBe(deviation(buildCnn(CNN), 'conv2.weight'));
  });

  it('scales kernels by their fan-in', () => {
    const wide = buildCnn({ ...CNN, filters: [100, 100], kernel: 5 });
    expect(deviation(wide, 'conv2.weight') / Math.sqrt(2 / 2500)).toBeCloseTo(1, 2);
  });

  it('gives the same bytes for a seed, others for another', () => {
    expect(buildCnn(CNN)).toEqual(buildCnn(CNN));
    expect(buildCnn(CNN)).not.toEqual(buildCnn({ ...CNN, seed: 1 }));
  });

  it('names the field that is wrong', () => {
    expect(() => buildCnn({ ...CNN, kernel: 4 })).toThrow(/kernel: must be odd/);
    expect(() => buildCnn({ ...CNN, filters: [4, 4, 4, 4] })).toThrow(/3 blocks leave 1 × 1/);
  });
});

describe('GPT builder', () => {
  it('has parameters whose names say where they are', () => {
    const of = shapes(buildGpt(GPT));
    expect(of).toMatchObject({
      'token.embedding': [11, 8],
      'position.embedding': [6, 8],
      'block0.attention.query.weight': [8, 8],
      'block1.attention.output.bias': [8],
      'block1.mlp.expand.weight': [8, 32],
      'block1.mlp.contract.weight': [32, 8],
      'norm.scale': [8],
    });
    // Per block 4 projections, 2 feed-forward layers and 2 normalizations, two tensors each.
    expect(Object.keys(of)).toHaveLength(2 + 2 * 16 + 2);
    expect(shapes(buildGpt({ ...GPT, tied: false }))['head.weight']).toEqual([8, 11]);
  });

  it('takes any batch and any sequence', () => {
    expect(signatureOf(decodeModel(buildGpt(GPT)))).toEqual({
      inputs: [{ name: 'tokens', dtype: 'I64', shape: ['batch', 'sequence'] }],
      outputs: [{ name: 'logits', dtype: 'F32', shape: ['batch', 'sequence', 11] }],
    });
  });

  it('scales what writes into the stream by the depth', () => {
    const deep = buildGpt({ ...GPT, width: 64, layers: 8 });
    expect(deviation(deep, 'block3.mlp.expand.weight') / 0.02).toBeCloseTo(1, 1);
    expect(deviation(deep, 'block3.mlp.contract.weight') / (0.02 / 4)).toBeCloseTo(1, 1);
  });

  it('gives the same bytes for a seed, others for another', () => {
    expect(buildGpt(GPT)).toEqual(buildGpt(GPT));
    expect(buildGpt(GPT)).not.toEqual(buildGpt({ ...GPT, seed: 1 }));
  });

  it('names the field that is wrong', () => {
    expect(() => buildGpt({ ...GPT, heads: 3 })).toThrow(/width: must be a multiple of heads/);
  });
});
