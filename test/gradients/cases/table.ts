/** One or more cases for every operator with a gradient rule; each file is beside a file of core/autodiff/rules. */
import { BATCH_NORMALIZATION } from './batch-normalization.ts';
import { BROADCAST } from './broadcast.ts';
import { CONVOLUTION } from './convolution.ts';
import { ELEMENTWISE } from './elementwise.ts';
import { LINEAR } from './linear.ts';
import { LOSS } from './loss.ts';
import { NORMALIZE } from './normalize.ts';
import { PAD } from './pad.ts';
import { POOLING } from './pooling.ts';
import { REDUCE } from './reduce.ts';
import { RESIZE } from './resize.ts';
import { SHAPE } from './shape.ts';
import type { Case } from './operands.ts';

export const CASES: readonly Case[] = [
  ...ELEMENTWISE,
  ...BROADCAST,
  ...LINEAR,
  ...REDUCE,
  ...SHAPE,
  ...NORMALIZE,
  ...LOSS,
  ...CONVOLUTION,
  ...POOLING,
  ...BATCH_NORMALIZATION,
  ...RESIZE,
  ...PAD,
];
