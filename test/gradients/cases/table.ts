/** One or more cases for every operator with a gradient rule; each file is beside a file of core/autodiff/rules. */
import { ACTIVATION } from './activation.ts';
import { BATCH_NORMALIZATION } from './batch-normalization.ts';
import { BROADCAST } from './broadcast.ts';
import { CONVOLUTION } from './convolution.ts';
import { DROPOUT } from './dropout.ts';
import { EINSUM } from './einsum.ts';
import { ELEMENTWISE } from './elementwise.ts';
import { INDEXING } from './indexing.ts';
import { LINEAR } from './linear.ts';
import { LOSS } from './loss.ts';
import { NORMALIZE } from './normalize.ts';
import { PAD } from './pad.ts';
import { POOLING } from './pooling.ts';
import { REDUCE } from './reduce.ts';
import { RESIZE } from './resize.ts';
import { SHAPE } from './shape.ts';
import { SLICE } from './slice.ts';
import type { Case } from './operands.ts';

export const CASES: readonly Case[] = [
  ...ELEMENTWISE,
  ...ACTIVATION,
  ...BROADCAST,
  ...DROPOUT,
  ...LINEAR,
  ...EINSUM,
  ...REDUCE,
  ...SHAPE,
  ...SLICE,
  ...INDEXING,
  ...NORMALIZE,
  ...LOSS,
  ...CONVOLUTION,
  ...POOLING,
  ...BATCH_NORMALIZATION,
  ...RESIZE,
  ...PAD,
];
