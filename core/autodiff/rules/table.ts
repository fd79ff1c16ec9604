/** Every operator of the default domain that gradients are known for. */
import type { RuleTable } from '../rule.ts';
import { ACTIVATION } from './activation.ts';
import { BATCH_NORMALIZATION } from './batch-normalization.ts';
import { BROADCAST } from './broadcast.ts';
import { CONVOLUTION } from './convolution.ts';
import { DROPOUT } from './dropout.ts';
import { EINSUM } from './einsum.ts';
import { ELEMENTWISE } from './elementwise.ts';
import { INDEXING } from './indexing.ts';
import { LINEAR } from './linear.ts';
import { LOSS, LOSS_WITH_OUTPUTS } from './loss.ts';
import { NORMALIZE } from './normalize.ts';
import { PAD } from './pad.ts';
import { POOLING } from './pooling.ts';
import { REDUCE } from './reduce.ts';
import { RESIZE } from './resize.ts';
import { MULTIPLE_OUTPUTS, SHAPE } from './shape.ts';
import { SLICE } from './slice.ts';

/** For the gradient of the first output; the others must not influence the loss. */
export const SINGLE_OUTPUT_RULES: RuleTable = {
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
};

export const MULTIPLE_OUTPUT_RULES: RuleTable = { ...MULTIPLE_OUTPUTS, ...LOSS_WITH_OUTPUTS };

export const SUPPORTED_OPERATORS: readonly string[] = [
  ...Object.keys(SINGLE_OUTPUT_RULES),
  ...Object.keys(MULTIPLE_OUTPUT_RULES),
].sort();
