/** A multilayer perceptron as an ONNX file: Gemm and Relu, then Gemm and what the task asks for. */
import { z } from 'zod';
import { parse } from '../../contracts/parse.ts';
import { createRandom } from '../../random.ts';
import { GraphBuilder } from '../builder.ts';
import { uniformValues } from '../distributions.ts';
import { encodeModel } from '../model.ts';

/** After the last layer. */
const ACTIVATIONS = { softmax: 'Softmax', sigmoid: 'Sigmoid', none: undefined } as const;

const Width = z.int().min(1).max(1_000_000);
const MlpSpec = z
  .strictObject({
    inputs: Width,
    hidden: z.array(Width),
    /** Width of the last layer: classes, or values of a regression. */
    classes: Width,
    activation: z.enum(['softmax', 'sigmoid', 'none']).default('softmax'),
    seed: z.int().min(0).max(0xffff_ffff).default(0),
    inputName: z.string().min(1).default('input'),
    outputName: z.string().min(1).default('probabilities'),
  })
  .refine(({ classes, activation }) => classes > 1 || activation !== 'softmax', {
    path: ['classes'],
    error: 'a softmax is over 2 classes or more',
  });
export type MlpSpec = z.input<typeof MlpSpec>;

/**
 * FP32 input `[batch, inputs]`, FP32 output `[batch, classes]`. Initializers are `layer<k>.weight`
 * `[in, out]` and `layer<k>.bias` `[out]`, k from 1. Weights are uniform in ±√(6/in) before a Relu (He et al. 2015,
 * arXiv:1502.01852, eq. 10) and ±√(3/in) in the last layer, biases zero. The same spec gives the same bytes.
 * @throws Fault `invalid` naming the field
 */
export function buildMlp(request: MlpSpec): Uint8Array<ArrayBuffer> {
  const spec = parse(MlpSpec, request);
  const graph = new GraphBuilder([spec.inputName, spec.outputName]);
  let value = graph.input({ name: spec.inputName, dtype: 'F32', shape: ['batch', spec.inputs] });
  const widths = [spec.inputs, ...spec.hidden, spec.classes];
  for (let layer = 1; layer < widths.length; layer++) {
    const fanIn = widths[layer - 1]!;
    const fanOut = widths[layer]!;
    const isLast = layer === widths.length - 1;
    const bound = Math.sqrt((isLast ? 3 : 6) / fanIn);
    const weights = uniformValues(fanIn * fanOut, bound, createRandom(spec.seed, layer));
    const weight = graph.initializer(`layer${layer}.weight`, {
      dtype: 'F32',
      shape: [fanIn, fanOut],
      data: weights,
    });
    const bias = graph.initializer(`layer${layer}.bias`, {
      dtype: 'F32',
      shape: [fanOut],
      data: new Float32Array(fanOut),
    });
    const activation = isLast ? ACTIVATIONS[spec.activation] : 'Relu';
    const name = isLast ? spec.outputName : undefined;
    if (activation === undefined) value = graph.op('Gemm', [value, weight, bias], {}, name);
    else {
      const sum = graph.op('Gemm', [value, weight, bias]);
      value = graph.op(activation, [sum], activation === 'Softmax' ? { axis: -1 } : {}, name);
    }
  }
  graph.output({ name: value, dtype: 'F32', shape: ['batch', spec.classes] });
  return encodeModel(graph.build('mlp'));
}
