import { describe, expect, test } from 'vitest';
import { llama2cLength, parseLlama2c } from '../../../core/language/llama2c.ts';
import { llamaShapes } from '../../../core/onnx/builders/llama-config.ts';
import { buildLlama, LLAMA } from '../../../core/onnx/builders/llama.ts';
import { decodeModel, encodeModel } from '../../../core/onnx/model.ts';
import { signatureOf } from '../../../core/onnx/signature.ts';
import { llama2cFile, tinyConfig, tinyWeights } from './tiny-llama.ts';

const CONFIG = tinyConfig();
const WEIGHTS = tinyWeights(CONFIG, 1);
const FILE = llama2cFile(CONFIG, WEIGHTS);

/** The file with one word of its header changed. */
function withHeader(index: number, value: number): Uint8Array<ArrayBuffer> {
  const file = FILE.slice();
  new DataView(file.buffer).setInt32(4 * index, value, true);
  return file;
}

describe('a llama2.c checkpoint', () => {
  test.each([
    ['a classifier of its own', CONFIG],
    ['the embedding as classifier', tinyConfig({ isClassifierShared: true, keyValueHeads: 4 })],
  ])('comes back as it was written: %s', (_, config) => {
    const weights = tinyWeights(config, 2);
    const parsed = parseLlama2c(llama2cFile(config, weights));
    expect(parsed.config).toEqual(config);
    expect([...parsed.weights.keys()].sort()).toEqual([...llamaShapes(config).keys()].sort());
    for (const [name, weight] of weights) expect(parsed.weights.get(name), name).toEqual(weight);
  });

  test('is read where it lies: weights are views', () => {
    const { weights } = parseLlama2c(FILE);
    for (const { data } of weights.values()) expect(data.buffer).toBe(FILE.buffer);
  });

  test('may begin at any byte', () => {
    const packed = new Uint8Array(FILE.length + 3);
    packed.set(FILE, 3);
    expect(parseLlama2c(packed.subarray(3)).weights).toEqual(WEIGHTS);
  });

  test('says how long it is, whatever follows', () => {
    const packed = new Uint8Array(FILE.length + 100);
    packed.set(FILE);
    expect(llama2cLength(packed)).toBe(FILE.length);
    expect(() => parseLlama2c(packed)).toThrow(`asks for ${FILE.length} bytes, there are ${packed.length}`);
  });

  test.each([
    ['nothing', new Uint8Array(0), /header needs 28 bytes, there are 0/],
    ['a truncated file', FILE.subarray(0, FILE.length - 4), /asks for \d+ bytes, there are \d+/],
    ['no layers', withHeader(2, 0), /layers is 0/],
    ['heads that do not divide', withHeader(3, 5), /dimension is 16: it must be an even number/],
    ['groups that do not divide', withHeader(4, 3), /keyValueHeads is 3: it must divide/],
    ['another format', withHeader(0, 0x616b3432), /dimension is 1634415666/],
  ])('is refused: %s', (_, file, message) => {
    expect(() => parseLlama2c(file)).toThrow(message);
  });
});

describe('the graph', () => {
  test('has symbolic batch and sequence, and its weights by name', () => {
    const model = decodeModel(encodeModel(buildLlama(CONFIG, WEIGHTS)));
    expect(signatureOf(model)).toEqual({
      inputs: [{ name: LLAMA.tokens, dtype: 'I64', shape: ['batch', 'sequence'] }],
      outputs: [
        { name: LLAMA.logits, dtype: 'F32', shape: ['batch', 'sequence', 11] },
        { name: LLAMA.nextLogits, dtype: 'F32', shape: ['batch', 11] },
      ],
    });
    const names = model.graph.initializer.map((tensor) => tensor.name);
    expect(names).toEqual(expect.arrayContaining([...WEIGHTS.keys()]));
  });

  test('holds the weights given to it, not copies', () => {
    const { graph } = buildLlama(CONFIG, WEIGHTS);
    const tensor = graph.initializer.find(({ name }) => name === 'layers.1.attention.wv.weight');
    expect(tensor?.rawData?.buffer).toBe(WEIGHTS.get('layers.1.attention.wv.weight')?.data.buffer);
  });

  test('is refused without a weight, or with one of another shape', () => {
    const without = new Map(WEIGHTS);
    without.delete('norm.weight');
    expect(() => buildLlama(CONFIG, without)).toThrow('norm.weight is missing: it must be F32 [16]');
    const config = tinyConfig({ hiddenDimension: 25 });
    expect(() => buildLlama(config, WEIGHTS)).toThrow(
      'layers.0.feed_forward.w1.weight is F32 [24, 16]: it must be F32 [25, 16]',
    );
  });
});
