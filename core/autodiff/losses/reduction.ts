/** Means over the elements that count. */
import type { DType } from '../../tensors/dtypes.ts';
import type { Ops } from '../ops.ts';

export interface Reduction {
  /** Scalar: how many elements count, or the sum of their weights. */
  readonly count: string;
  /** Scalar: the sum over the elements, each times its weight. */
  readonly sum: (values: string) => string;
  /** A sum as a mean; 0 where nothing counts. */
  readonly mean: (sum: string) => string;
  /** Elements' gradients as those of the mean. */
  readonly scale: (gradients: string) => string;
}

/**
 * @param elements a value with as many elements
 * @param weights of the elements, of a shape that broadcasts over what is reduced; undefined: all 1
 */
export function reductionOf(ops: Ops, dtype: DType, elements: string, weights?: string): Reduction {
  const total = (values: string) => ops.op('ReduceSum', [values], { keepdims: 0 });
  if (weights === undefined) {
    const count = ops.cast(ops.op('Size', [elements]), dtype);
    const mean = (value: string) => ops.div(value, count);
    return { count, sum: total, mean, scale: mean };
  }
  const count = total(weights);
  const isNone = ops.indicator(ops.op('Equal', [count, ops.scalar(dtype, 0)]), dtype);
  const divisor = ops.add(count, isNone);
  const share = ops.div(weights, divisor);
  return {
    count,
    sum: (values) => total(ops.mul(values, weights)),
    mean: (value) => ops.div(value, divisor),
    scale: (gradients) => ops.mul(gradients, share),
  };
}
