/** LeNet-5 (LeCun et al. 1998) as it is written today: Relu and MaxPool, over 28 × 28 pixels. */
import { GraphBuilder } from '../../../../core/onnx/builder.ts';
import { createRandom } from '../../../../core/random.ts';
import { elementCount } from '../../../../core/tensors/tensor.ts';
import type { Network } from './network.ts';

const BATCH = 64;
const SIZE = 28;
const CLASSES = 10;
const FILTERS = [6, 16] as const;
const DENSE = [120, 84, CLASSES] as const;

export function lenet(): Network {
  const random = createRandom(1);
  const g = new GraphBuilder();
  const parameters: string[] = [];
  const values = (shape: readonly number[], draw: () => number) => ({
    dtype: 'F32' as const,
    shape,
    data: Float32Array.from({ length: elementCount(shape) }, draw),
  });
  const parameter = (name: string, ...shape: number[]) => {
    parameters.push(name);
    return g.initializer(
      name,
      values(shape, () => 0.2 * (random.uniform() - 0.5)),
    );
  };

  g.input({ name: 'image', dtype: 'F32', shape: ['batch', 1, SIZE, SIZE] });
  g.input({ name: 'label', dtype: 'I64', shape: ['batch'] });
  let x = 'image';
  let channels = 1;
  for (const [i, filters] of FILTERS.entries()) {
    const kernel = parameter(`conv${i}.weight`, filters, channels, 5, 5);
    const bias = parameter(`conv${i}.bias`, filters);
    // The first keeps the size, the second takes four pixels off; pooling halves.
    const pads = i === 0 ? [2, 2, 2, 2] : [0, 0, 0, 0];
    x = g.op('Relu', [g.op('Conv', [x, kernel, bias], { kernel_shape: [5, 5], pads })]);
    x = g.op('MaxPool', [x], { kernel_shape: [2, 2], strides: [2, 2] });
    channels = filters;
  }
  x = g.op('Flatten', [x]);
  let width = channels * 5 * 5;
  for (const [i, units] of DENSE.entries()) {
    const bias = parameter(`dense${i}.bias`, units);
    x = g.op('Gemm', [x, parameter(`dense${i}.weight`, width, units), bias]);
    if (i < DENSE.length - 1) x = g.op('Relu', [x]);
    width = units;
  }
  g.op('SoftmaxCrossEntropyLoss', [x, 'label'], { reduction: 'mean' }, 'loss');
  g.output({ name: 'loss', dtype: 'F32', shape: [] });
  const label = BigInt64Array.from({ length: BATCH }, () => BigInt(random.below(CLASSES)));
  return {
    name: `CNN, LeNet-5 with ${FILTERS.join(' and ')} filters of 5 × 5, batch ${BATCH}`,
    model: g.build('lenet'),
    parameters,
    inputs: {
      image: values([BATCH, 1, SIZE, SIZE], random.uniform),
      label: { dtype: 'I64', shape: [BATCH], data: label },
    },
  };
}
