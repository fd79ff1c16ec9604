import { describe, expect, it } from 'vitest';
import { buildMlp } from '../../../core/onnx/builders/mlp.ts';
import { withInputShapes } from '../../../core/onnx/input-shapes.ts';
import { decodeModel } from '../../../core/onnx/model.ts';
import { signatureOf } from '../../../core/onnx/signature.ts';
import { tensorValue } from '../../../core/onnx/tensor.ts';

const mlp = buildMlp({ inputs: 3, hidden: [2], classes: 2 });

describe('withInputShapes', () => {
  it('fixes symbolic dimensions in inputs and outputs', () => {
    const { inputs, outputs } = signatureOf(withInputShapes(decodeModel(mlp), new Map([['input', [5, 3]]])));
    expect(inputs.map((each) => each.shape)).toEqual([[5, 3]]);
    expect(outputs.map((each) => each.shape)).toEqual([[5, 2]]);
  });

  it.each([
    ['another size', [5, 4]],
    ['another rank', [5]],
  ])('refuses %s', (_, shape) => {
    expect(() => withInputShapes(decodeModel(mlp), new Map([['input', shape]]))).toThrow(
      /asks for \[batch, 3\]/,
    );
  });

  it('refuses two sizes for one dimension', () => {
    const model = decodeModel(mlp);
    const [input] = model.graph.input;
    const twice = { ...model, graph: { ...model.graph, input: [input!, { ...input!, name: 'second' }] } };
    const shapes = new Map([
      ['input', [5, 3]],
      ['second', [6, 3]],
    ]);
    expect(() => withInputShapes(twice, shapes)).toThrow(/batch is 6 in input second and 5 in input input/);
  });
});

it('tensors of a model read into a Buffer are copied where unaligned', () => {
  for (const shift of [0, 1, 2, 3]) {
    const shifted = Buffer.concat([new Uint8Array(shift), mlp]).subarray(shift);
    const [weight] = decodeModel(shifted).graph.initializer;
    const [expected] = decodeModel(mlp).graph.initializer;
    expect(tensorValue(weight!).data).toEqual(tensorValue(expected!).data);
  }
});
