/** Every kind of loss, by name. */
import type { LossKind, LossOf, LossSpec } from '../../contracts/loss.ts';
import { binaryCrossEntropy } from './binary-cross-entropy.ts';
import { huber } from './huber.ts';
import type { Loss } from './loss.ts';
import { meanSquaredError } from './mean-squared-error.ts';
import { outputLoss } from './output.ts';
import { softmaxCrossEntropy } from './softmax-cross-entropy.ts';

const LOSSES: { readonly [K in LossKind]: Loss<LossOf<K>> } = {
  'softmax-cross-entropy': softmaxCrossEntropy,
  'binary-cross-entropy': binaryCrossEntropy,
  'mean-squared-error': meanSquaredError,
  huber,
  output: outputLoss,
};

/** @returns the row of the table for a spec; the kind in it is that of the spec */
export const lossOf = ({ kind }: LossSpec) => LOSSES[kind] as Loss<LossSpec>;
