import type { Attributes } from '../../../core/onnx/attributes.ts';
import { type Case, none, param, single } from './operands.ts';

type Pair = readonly [number, number];

const KERNELS: readonly Pair[] = [
  [1, 1],
  [3, 2],
];
const STRIDES: readonly Pair[] = [
  [1, 1],
  [2, 3],
];
const DILATIONS: readonly Pair[] = [
  [1, 1],
  [2, 1],
];
const PADS = [
  [0, 0, 0, 0],
  [1, 1, 1, 1],
  [2, 0, 1, 3],
];
/** Groups, channels of the input, filters. */
const GROUPS = [
  [1, 3, 2],
  [2, 4, 6],
  [2, 6, 4],
  [3, 3, 3],
] as const;

/** Every combination; a kernel of one element cannot be dilated, nor need it be padded. */
const combinations = KERNELS.flatMap((kernel) =>
  STRIDES.flatMap((strides) =>
    DILATIONS.flatMap((dilations) =>
      PADS.flatMap((pads) => GROUPS.map((groups) => ({ kernel, strides, dilations, pads, groups }))),
    ),
  ),
).filter(({ kernel, dilations, pads }) => kernel[0] > 1 || (dilations[0] === 1 && pads[0] === 0));

const conv2d = combinations.map(
  ({ kernel, strides, dilations, pads, groups: [group, channels, filters] }): Case => ({
    op: 'Conv',
    about: `kernel ${kernel.join()} strides ${strides.join()} dilations ${dilations.join()} pads ${pads.join()} group ${group}`,
    operands: [param(2, channels, 5, 6), param(filters, channels / group, ...kernel), param(filters)],
    attributes: { strides, dilations, pads, group },
  }),
);

const transposed2d = combinations.map(
  ({ kernel, strides, dilations, pads, groups: [group, channels, filters] }): Case => ({
    op: 'ConvTranspose',
    about: `kernel ${kernel.join()} strides ${strides.join()} dilations ${dilations.join()} pads ${pads.join()} group ${group}`,
    operands: [param(2, channels, 3, 4), param(channels, filters / group, ...kernel), param(filters)],
    attributes: { strides, dilations, pads, group, output_padding: [strides[0] - 1, 0] },
  }),
);

const AUTO_PADS = ['SAME_UPPER', 'SAME_LOWER', 'VALID'];

const automatic = AUTO_PADS.flatMap((auto_pad) =>
  [1, 2].flatMap((stride): Case[] => [
    {
      op: 'Conv',
      about: `${auto_pad} strides ${stride}`,
      operands: [param(1, 2, 5, 6), param(2, 2, 2, 3)],
      attributes: { auto_pad, strides: [stride, stride] },
    },
    {
      op: 'ConvTranspose',
      about: `${auto_pad} strides ${stride}`,
      operands: [param(1, 2, 3, 2), param(2, 2, 2, 3)],
      attributes: { auto_pad, strides: [stride, stride] },
    },
  ]),
);

/** One and three spatial axes, plain and with everything at once. */
const otherRanks = ['Conv', 'ConvTranspose'].flatMap((op): Case[] => [
  { op, about: '1-D', operands: [param(2, 2, 7), param(2, 2, 3)] },
  {
    op,
    about: '1-D strided, dilated, padded, grouped',
    operands: [param(2, 4, 8), param(4, 2, 3), op === 'Conv' ? param(4) : param(4)],
    attributes: { strides: [2], dilations: [2], pads: [2, 1], group: 2 },
  },
  { op, about: '3-D', operands: [param(1, 2, 3, 3, 4), param(2, 2, 2, 2, 3)] },
  {
    op,
    about: '3-D strided, dilated, padded, depthwise',
    operands: [param(1, 2, 4, 3, 4), param(2, 1, 2, 2, 2), none],
    attributes: { strides: [1, 2, 1], dilations: [1, 1, 2], pads: [1, 0, 1, 0, 1, 1], group: 2 },
  },
]);

const shaped = [
  { output_shape: [7, 9], strides: [2, 2] },
  { output_shape: [8, 8], strides: [2, 2], auto_pad: 'SAME_UPPER' },
  { output_shape: [5, 6], strides: [2, 2] },
].map((attributes: Attributes): Case => ({
  op: 'ConvTranspose',
  about: JSON.stringify(attributes),
  operands: [param(1, 2, 3, 4), param(2, 2, 3, 3)],
  attributes,
}));

export const CONVOLUTION: readonly Case[] = [
  ...conv2d,
  ...transposed2d,
  ...automatic,
  ...otherRanks,
  ...shaped,
  { op: 'Conv', about: 'of one element, many channels', operands: [param(1, 8, 2), param(8, 8, 1)] },
  // Enough channels for the products to be taken kernel row by kernel row, and element by element.
  { op: 'Conv', about: 'by rows', operands: [param(1, 9, 4, 4), param(2, 9, 2, 3)] },
  { op: 'Conv', about: 'by elements', operands: [param(1, 24, 3, 3), param(1, 24, 2, 2)] },
].map(single);
