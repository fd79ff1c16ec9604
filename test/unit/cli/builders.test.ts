import { describe, expect, it } from 'vitest';
import type { DatasetManifest } from '../../../core/contracts/dataset.ts';
import { decodeModel } from '../../../core/onnx/model.ts';
import { signatureOf } from '../../../core/onnx/signature.ts';
import { type BuilderName, type BuilderOptions, modelForDataset } from '../../../infra/cli/builders.ts';

const OPTIONS: BuilderOptions = { build: 'mlp', classes: 3, layers: 1, heads: 2, width: 8, seed: 0 };

function built(kind: BuilderName, shape: number[], options: Partial<BuilderOptions> = {}) {
  const manifest = { tensors: { rows: { dtype: 'U8', shape } } } as unknown as DatasetManifest;
  return signatureOf(decodeModel(modelForDataset(manifest, 'rows', { ...OPTIONS, build: kind, ...options })));
}

describe('models for a dataset', () => {
  it.each<[BuilderName, number[], Partial<BuilderOptions>, (number | string)[], (number | string)[]]>([
    ['mlp', [2, 5], {}, ['batch', 10], ['batch', 3]],
    ['cnn', [64], {}, ['batch', 64], ['batch', 3]],
    ['cnn', [3, 16, 8], { filters: [4] }, ['batch', 3, 16, 8], ['batch', 3]],
    ['cnn', [48], { image: [3, 4, 4] }, ['batch', 48], ['batch', 3]],
    ['gpt', [12], { vocabulary: 9 }, ['batch', 'sequence'], ['batch', 'sequence', 9]],
  ])('%s of rows %j %j', (kind, shape, options, input, output) => {
    const { inputs, outputs } = built(kind, shape, options);
    expect(inputs).toMatchObject([{ name: 'rows', shape: input }]);
    expect(outputs).toMatchObject([{ shape: output }]);
  });

  it.each<[BuilderName, number[], Partial<BuilderOptions>, RegExp]>([
    ['cnn', [50], {}, /--image: rows of rows are \[50\]/],
    ['cnn', [48], { image: [1, 4, 4] }, /--image/],
    ['cnn', [3, 4, 4], { image: [4, 4, 3] }, /--image/],
    ['gpt', [12], {}, /--vocabulary/],
    ['gpt', [3, 4], { vocabulary: 9 }, /not a sequence/],
  ])('refuses %s of rows %j %j', (kind, shape, options, message) => {
    expect(() => built(kind, shape, options)).toThrow(message);
  });
});
