/** A convolutional classifier after LeNet-5 (LeCun et al. 1998) as an ONNX file: Conv, Relu and MaxPool, then Gemms. */
import { z } from 'zod';
import { parse } from '../../contracts/parse.ts';
import { Fault } from '../../errors.ts';
import { createRandom } from '../../random.ts';
import { elementCount } from '../../tensors/tensor.ts';
import { GraphBuilder } from '../builder.ts';
import { kaimingBound, uniformValues } from '../distributions.ts';
import { encodeModel } from '../model.ts';

const Size = z.int().min(1).max(100_000);
const CnnSpec = z.strictObject({
  /** Channels, height, width of an image. */
  input: z.tuple([Size, Size, Size]),
  /** Kernels of each block; a block halves height and width. */
  filters: z.array(Size).min(1).default([16, 32]),
  /** Height and width of every kernel. */
  kernel: Size.refine((size) => size % 2 === 1, 'must be odd, so that a kernel has a centre').default(3),
  /** Hidden layers behind the blocks. */
  hidden: z.array(Size).default([64]),
  classes: Size.min(2),
  /** True: images come as rows of channels × height × width values, as `[batch, values]`. */
  flat: z.boolean().default(false),
  seed: z.int().min(0).max(0xffff_ffff).default(0),
  inputName: z.string().min(1).default('image'),
  outputName: z.string().min(1).default('probabilities'),
});
export type CnnSpec = z.input<typeof CnnSpec>;

/**
 * FP32 input `[batch, channels, height, width]` (`[batch, channels·height·width]` where flat), FP32 output
 * `[batch, classes]` of probabilities. Convolutions keep the size, pooling halves it, rounding down. Initializers are
 * `conv<k>.weight` `[filters, channels, kernel, kernel]`, `conv<k>.bias`, then `dense<k>.weight` `[in, out]` and
 * `dense<k>.bias`, k from 1. Weights are uniform in ±√(6/in) before a Relu (He et al. 2015, arXiv:1502.01852, eq. 10)
 * and ±√(3/in) before the Softmax, biases zero. The same spec gives the same bytes.
 * @throws Fault `invalid` naming the field
 */
export function buildCnn(request: CnnSpec): Uint8Array<ArrayBuffer> {
  const spec = parse(CnnSpec, request);
  const graph = new GraphBuilder([spec.inputName, spec.outputName]);
  let [channels, height, width] = spec.input;
  const pixels = elementCount(spec.input);
  let value = graph.input({
    name: spec.inputName,
    dtype: 'F32',
    shape: spec.flat ? ['batch', pixels] : ['batch', channels, height, width],
  });
  if (spec.flat) {
    // 0: the batch, as it is.
    const shape = BigInt64Array.from([0, channels, height, width], BigInt);
    value = graph.op('Reshape', [value, graph.constant({ dtype: 'I64', shape: [4], data: shape })]);
  }

  let layers = 0;
  const parameters = (name: string, shape: readonly number[], outputs: number, bound: number) => {
    const data = uniformValues(elementCount(shape), bound, createRandom(spec.seed, ++layers));
    return [
      graph.initializer(`${name}.weight`, { dtype: 'F32', shape, data }),
      graph.initializer(`${name}.bias`, { dtype: 'F32', shape: [outputs], data: new Float32Array(outputs) }),
    ];
  };

  const { kernel } = spec;
  const half = (kernel - 1) / 2;
  for (const [index, filters] of spec.filters.entries()) {
    if (height < 2 || width < 2)
      throw new Fault(
        'invalid',
        `filters: ${index} blocks leave ${height} × ${width} of the image, too little to halve`,
        {
          field: 'filters',
        },
      );
    const shape = [filters, channels, kernel, kernel];
    const bound = kaimingBound(channels * kernel * kernel);
    value = graph.op('Conv', [value, ...parameters(`conv${index + 1}`, shape, filters, bound)], {
      kernel_shape: [kernel, kernel],
      pads: [half, half, half, half],
    });
    value = graph.op('Relu', [value]);
    value = graph.op('MaxPool', [value], { kernel_shape: [2, 2], strides: [2, 2] });
    [channels, height, width] = [filters, Math.floor(height / 2), Math.floor(width / 2)];
  }

  value = graph.op('Flatten', [value]);
  const widths = [channels * height * width, ...spec.hidden, spec.classes];
  for (let layer = 1; layer < widths.length; layer++) {
    const [inputs, outputs] = [widths[layer - 1]!, widths[layer]!];
    const isLast = layer === widths.length - 1;
    const bound = isLast ? Math.sqrt(3 / inputs) : kaimingBound(inputs);
    value = graph.op('Gemm', [value, ...parameters(`dense${layer}`, [inputs, outputs], outputs, bound)]);
    value = isLast ? graph.op('Softmax', [value], { axis: -1 }, spec.outputName) : graph.op('Relu', [value]);
  }
  graph.output({ name: value, dtype: 'F32', shape: ['batch', spec.classes] });
  return encodeModel(graph.build('cnn'));
}
