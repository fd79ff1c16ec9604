import type { Attributes } from '../../../core/onnx/attributes.ts';
import { type Case, floats, int, none, param, single } from './operands.ts';

const COORDINATES = ['half_pixel', 'asymmetric', 'align_corners', 'pytorch_half_pixel'];

/** Scales of the last two axes: up, up by no whole number, down, one each. */
const SCALES = [
  [2, 2],
  [1.5, 2.7],
  [0.5, 0.7],
  [3, 0.6],
];

const METHODS: Attributes[] = [
  ...['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'].map((nearest_mode) => ({
    mode: 'nearest',
    nearest_mode,
  })),
  { mode: 'linear' },
  { mode: 'cubic', cubic_coeff_a: { float: -0.75 } },
  { mode: 'cubic', exclude_outside: 1 },
];

const byScales = METHODS.flatMap((method) =>
  COORDINATES.flatMap((coordinate_transformation_mode) =>
    SCALES.map((scales): Case => ({
      op: 'Resize',
      about: `${JSON.stringify(method)} ${coordinate_transformation_mode} ${scales.join()}`,
      operands: [param(1, 2, 4, 5), none, floats(1, 1, ...scales)],
      attributes: { ...method, coordinate_transformation_mode },
    })),
  ),
);

const bySizes = ['nearest', 'linear'].flatMap((mode): Case[] => [
  {
    op: 'Resize',
    about: `${mode} to sizes`,
    operands: [param(2, 2, 3, 4), none, none, int(2, 2, 6, 7)],
    attributes: { mode },
  },
  {
    op: 'Resize',
    about: `${mode} 1-D`,
    operands: [param(2, 2, 5), none, none, int(2, 2, 8)],
    attributes: { mode, coordinate_transformation_mode: 'align_corners' },
  },
  {
    op: 'Resize',
    about: `${mode} 3-D`,
    operands: [param(1, 2, 3, 2, 4), none, none, int(1, 2, 4, 5, 3)],
    attributes: { mode, coordinate_transformation_mode: 'asymmetric' },
  },
]);

const blocks: Case[] = [
  { op: 'DepthToSpace', operands: [param(2, 8, 2, 3)], attributes: { blocksize: 2 } },
  {
    op: 'DepthToSpace',
    about: 'CRD',
    operands: [param(2, 8, 2, 3)],
    attributes: { blocksize: 2, mode: 'CRD' },
  },
  { op: 'SpaceToDepth', operands: [param(2, 2, 4, 6)], attributes: { blocksize: 2 } },
];

export const RESIZE: readonly Case[] = [...byScales, ...bySizes].map(single).concat(blocks);
