import type { Attributes } from '../../../core/onnx/attributes.ts';
import { type Case, distinct, param, single } from './operands.ts';

const SIZE = [5, 6];
const KERNELS = [
  [2, 2],
  [3, 2],
];
const STRIDES = [
  [1, 1],
  [2, 2],
  [3, 2],
];
const PADS = [
  [0, 0, 0, 0],
  [1, 1, 1, 1],
  [1, 0, 0, 1],
];

/**
 * ceil_mode drops a last window that would start in the padding, of which the runtime's type inference does not know:
 * it then refuses the model itself.
 */
const isConsistent = (size: number, kernel: number, stride: number, before: number, after: number) =>
  Math.ceil((size + before + after - kernel) / stride) * stride < size + before;

const combinations: { about: string; attributes: Attributes }[] = KERNELS.flatMap((kernel_shape) =>
  STRIDES.flatMap((strides) =>
    PADS.flatMap((pads) =>
      [0, 1]
        .filter(
          (ceil_mode) =>
            ceil_mode === 0 ||
            [0, 1].every((axis) =>
              isConsistent(SIZE[axis]!, kernel_shape[axis]!, strides[axis]!, pads[axis]!, pads[axis + 2]!),
            ),
        )
        .map((ceil_mode) => ({
          about: `kernel ${kernel_shape.join()} strides ${strides.join()} pads ${pads.join()} ceil ${ceil_mode}`,
          attributes: { kernel_shape, strides, pads, ceil_mode },
        })),
    ),
  ),
);

const maxPool = (about: string, shape: readonly number[], attributes: Attributes): Case => ({
  op: 'MaxPool',
  about,
  operands: [distinct(...shape)],
  attributes,
  isAlsoSingle: true,
});

const averagePool = (about: string, shape: readonly number[], attributes: Attributes): Case =>
  single({ op: 'AveragePool', about, operands: [param(...shape)], attributes });

const automatic = ['SAME_UPPER', 'SAME_LOWER', 'VALID'].flatMap((auto_pad) => {
  const attributes = { auto_pad, kernel_shape: [2, 3], strides: [2, 1] };
  return [
    maxPool(auto_pad, [1, 2, 5, 6], attributes),
    averagePool(auto_pad, [1, 2, 5, 6], attributes),
    averagePool(`${auto_pad}, counted`, [1, 2, 5, 6], { ...attributes, count_include_pad: 1 }),
  ];
});

export const POOLING: readonly Case[] = [
  ...combinations.map(({ about, attributes }) => maxPool(about, [2, 2, ...SIZE], attributes)),
  ...combinations.flatMap(({ about, attributes }) =>
    [0, 1].map((count_include_pad) =>
      averagePool(`${about} counted ${count_include_pad}`, [2, 2, ...SIZE], {
        ...attributes,
        count_include_pad,
      }),
    ),
  ),
  ...automatic,
  maxPool('1-D', [2, 2, 7], { kernel_shape: [2], strides: [2] }),
  maxPool('3-D', [1, 2, 4, 4, 5], { kernel_shape: [2, 2, 3], strides: [2, 2, 1] }),
  maxPool('wide', [1, 1, 3, 67], { kernel_shape: [2, 2], strides: [2, 2] }),
  maxPool('dilated', [2, 2, 6, 6], { kernel_shape: [2, 3], dilations: [3, 2] }),
  maxPool('dilated by its stride', [1, 2, 6, 6], {
    kernel_shape: [2, 2],
    strides: [2, 2],
    dilations: [2, 2],
    ceil_mode: 1,
  }),
  averagePool('1-D', [2, 2, 7], { kernel_shape: [2], strides: [2] }),
  averagePool('3-D', [1, 2, 4, 4, 5], {
    kernel_shape: [2, 2, 3],
    strides: [2, 2, 1],
    pads: [0, 1, 1, 1, 0, 1],
  }),
  averagePool('dilated', [2, 2, 6, 6], { kernel_shape: [2, 3], dilations: [3, 2], pads: [1, 0, 0, 2] }),
  single({ op: 'GlobalAveragePool', operands: [param(2, 3, 3, 2)] }),
  single({ op: 'GlobalAveragePool', about: '1-D', operands: [param(2, 3, 4)] }),
  single({ op: 'GlobalMaxPool', operands: [distinct(2, 3, 3, 2)] }),
  single({ op: 'GlobalMaxPool', about: '3-D', operands: [distinct(1, 2, 2, 2, 2)] }),
];
