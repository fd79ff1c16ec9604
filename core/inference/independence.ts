/**
 * Whether a model's rows are independent, found out by running it: a softmax over the batch, a mean over it or a scale
 * per tensor have a batch axis in the signature like any other model, and would answer one client by another's rows.
 */
import { DTYPES } from '../tensors/dtypes.ts';
import type { TensorValue } from '../tensors/tensor.ts';
import { concatenate, rowsOf, split, type Values } from './batch.ts';

/**
 * Largest difference, over max(1, |value|), that is taken for rounding. Kernels for other batch sizes were seen to
 * differ by 1e-6; scales of dynamic quantisation, by 1e-2.
 */
export const ROUNDING = 1e-4;

/**
 * The inputs followed by as many rows of company that a dependent model would notice: twice the size and shifted, so
 * that means, maxima and scales move. Integers may be indices, of which zero is the one that is surely valid.
 */
export const accompanied = (inputs: Values): Values => concatenate([inputs, company(inputs)]);

function company(inputs: Values): Values {
  const made: Record<string, TensorValue> = {};
  for (const name in inputs) {
    const { dtype, shape, data } = inputs[name]!;
    const other = new DTYPES[dtype].array(data.length);
    if (other instanceof Float32Array || other instanceof Float64Array)
      for (let i = 0; i < data.length; i++) other[i] = 2 * (data[i] as number) + 1;
    made[name] = { dtype, shape, data: other };
  }
  return made;
}

/** @param alone outputs of `inputs` @param together outputs of `accompanied(inputs)` */
export function undisturbed(inputs: Values, alone: Values, together: Values): boolean {
  const rows = rowsOf(inputs);
  const [own] = split(together, [rows, rows]);
  for (const name in alone) if (!alike(alone[name]!, own![name])) return false;
  return true;
}

function alike(a: TensorValue, b: TensorValue | undefined): boolean {
  if (b === undefined || a.data.length !== b.data.length) return false;
  for (let i = 0; i < a.data.length; i++) {
    const [left, right] = [Number(a.data[i]), Number(b.data[i])];
    if (Object.is(left, right)) continue;
    // Also false where one of them is no number.
    if (!(Math.abs(left - right) <= ROUNDING * Math.max(1, Math.abs(left)))) return false;
  }
  return true;
}
