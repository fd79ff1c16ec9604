import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../../core/onnx/builder.ts';
import { buildMlp } from '../../../core/onnx/builders/mlp.ts';
import { decodeModel, encodeModel, type Model } from '../../../core/onnx/model.ts';
import { quantize } from '../../../core/onnx/quantize.ts';
import { quantizeRows } from '../../../core/onnx/quantize/scale.ts';
import { signatureOf } from '../../../core/onnx/signature.ts';
import { tensorValue } from '../../../core/onnx/tensor.ts';

const mlp = () => decodeModel(buildMlp({ inputs: 784, hidden: [128], classes: 10, seed: 1 }));
const initializers = (model: Model) =>
  new Map(model.graph.initializer.map((tensor) => [tensor.name, tensorValue(tensor)]));
const ops = (model: Model) => model.graph.node.map(({ opType }) => opType);

/** x [batch, 4] · w [4, 3], w given once and read by two nodes. */
function twice(w = Float32Array.from({ length: 12 }, (_, i) => i - 6)): Model {
  const graph = new GraphBuilder(['y', 'z']);
  const x = graph.input({ name: 'x', dtype: 'F32', shape: ['batch', 4] });
  const weight = graph.initializer('w', { dtype: 'F32', shape: [4, 3], data: w });
  graph.op('MatMul', [x, weight], {}, 'y');
  graph.op('Gemm', [x, weight], {}, 'z');
  for (const name of ['y', 'z']) graph.output({ name, dtype: 'F32', shape: ['batch', 3] });
  return graph.build('twice');
}

describe('quantize', () => {
  it('keeps inputs, outputs and opset, and takes a quarter of the bytes', () => {
    const before = mlp();
    const { model, rewritten } = quantize(before);
    expect(rewritten).toBe(1);
    expect(signatureOf(model)).toEqual(signatureOf(before));
    expect(model.opsetImport).toEqual(before.opsetImport);
    expect(encodeModel(model).length / encodeModel(before).length).toBeLessThan(0.27);
    expect(ops(model)).toEqual([
      'DynamicQuantizeLinear',
      'MatMulInteger',
      'Mul',
      'Cast',
      'Mul',
      'Add',
      'Relu',
      'Gemm',
      'Softmax',
    ]);
  });

  it('gives the same bytes for the same model', () => {
    expect(encodeModel(quantize(mlp()).model)).toEqual(encodeModel(quantize(mlp()).model));
  });

  it('leaves small weights, and then the model, as they are', () => {
    const model = twice();
    const { model: same, rewritten } = quantize(model);
    expect(rewritten).toBe(0);
    expect(same).toBe(model);
  });

  it('writes a weight that two nodes read once, and quantises their input once', () => {
    const { model, rewritten } = quantize(twice(), { minElements: 1 });
    expect(rewritten).toBe(2);
    expect(ops(model).filter((op) => op === 'DynamicQuantizeLinear')).toHaveLength(1);
    expect([...initializers(model).keys()]).toEqual(['w/quantized', 'w/scale', 'quantized/zero']);
  });

  it('stores bytes around 128 whose scaled values are the weights, to half a step of their channel', () => {
    const before = initializers(mlp()).get('layer1.weight')!.data;
    const after = initializers(quantize(mlp()).model);
    const bytes = after.get('layer1.weight/quantized')!;
    const scales = after.get('layer1.weight/scale')!.data;
    expect([bytes.dtype, bytes.shape, scales.length]).toEqual(['U8', [784, 128], 128]);
    bytes.data.forEach((byte: number | bigint, i: number) => {
      const step = Number(scales[i % 128]);
      expect(Math.abs((Number(byte) - 128) * step - Number(before[i]))).toBeLessThanOrEqual(step * 0.5001);
    });
  });

  it('keeps a float32 weight that something else still reads', () => {
    const model = twice();
    const graph = { ...model.graph, output: [...model.graph.output, { name: 'w', docString: '' }] };
    expect([...initializers(quantize({ ...model, graph }, { minElements: 1 }).model).keys()]).toContain('w');
  });

  it('does not leave an input to feed where an old-style constant was', () => {
    const model = twice();
    const declared = { ...model.graph.input[0]!, name: 'w' };
    const old = { ...model, graph: { ...model.graph, input: [...model.graph.input, declared] } };
    const { model: after } = quantize(old, { minElements: 1 });
    expect(after.graph.input.map(({ name }) => name)).toEqual(['x']);
  });

  it('leaves weights that are not finite alone', () => {
    for (const wrong of [Number.NaN, Infinity, -Infinity]) {
      const { rewritten } = quantize(twice(new Float32Array(12).fill(wrong, 5, 6)), { minElements: 1 });
      expect(rewritten, String(wrong)).toBe(0);
    }
  });

  it('does not take names that are there already', () => {
    const model = twice();
    const graph = {
      ...model.graph,
      node: [{ ...model.graph.node[0]!, output: ['w/quantized'] }, model.graph.node[1]!],
      output: [{ ...model.graph.output[0]!, name: 'w/quantized' }, model.graph.output[1]!],
    };
    const { model: after } = quantize({ ...model, graph }, { minElements: 1 });
    expect([...initializers(after).keys()]).toContain('w/quantized_1');
  });

  it('finds weights behind the Transpose and Constant nodes of an exporter that folds nothing', () => {
    const file = readFileSync(new URL('../../fixtures/gradients/gpt_tiny.onnx', import.meta.url));
    const { model, rewritten } = quantize(decodeModel(file), { minElements: 1 });
    // Two blocks of qkv, o, up, dn; the token table, looked up and (transposed) the output projection.
    expect(rewritten).toBe(2 * 4 + 2);
    expect(model.graph.initializer.some(({ name }) => name === 'tok.weight')).toBe(false);
  });
});

describe('quantizeRows', () => {
  const row = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 20 });

  it('is within half a step of every value, and uses the whole range', () => {
    fc.assert(
      fc.property(row, (values) => {
        const { integers, scales } = quantizeRows(Float32Array.from(values), 1)!;
        const step = scales[0]!;
        const largest = Math.max(...values.map(Math.abs));
        for (const [i, value] of values.entries()) {
          expect(Math.abs(integers[i]!)).toBeLessThanOrEqual(127);
          // Denormal scales are rounded coarsely; nothing there is above 127 times their spacing.
          expect(Math.abs(integers[i]! * step - value)).toBeLessThanOrEqual(step * 0.501 + 127 * 2 ** -149);
        }
        if (largest > 1e-30) expect(Math.max(...integers.map(Math.abs))).toBe(127);
      }),
    );
  });

  it('scales rows apart', () => {
    const { integers, scales } = quantizeRows(Float32Array.of(1, -127, 0.5, 0.25, 0, 0), 3)!;
    expect([...scales]).toEqual([1, Math.fround(0.5 / 127), 1]);
    expect([...integers]).toEqual([1, -127, 127, 64, 0, 0]);
  });
});
