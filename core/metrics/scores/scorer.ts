/** From tensors to scores: what each kind of loss says of each element of a batch. */
import type { NumericArray } from '../../tensors/dtypes.ts';
import type { TensorValue } from '../../tensors/tensor.ts';
import type { Score } from '../metric.ts';

/** A dataset tensor's rows: the stored values, to be divided by `divisor`. */
export interface Stored extends TensorValue {
  readonly divisor?: number | undefined;
}

/** What the loss reads, for the same rows. */
export interface Scored {
  /** The model's output, as it is served. */
  readonly output: TensorValue;
  readonly target?: Stored | undefined;
  readonly mask?: Stored | undefined;
  readonly rows: number;
}

/** The scores of the elements that count, in order. */
export type Scorer = (batch: Scored) => Iterable<Score>;

export const numberAt = (data: NumericArray, index: number) => Number(data[index]);

/** @returns the stored value at an index, divided */
export function reader({ data, divisor = 1 }: Stored): (index: number) => number {
  return (index) => numberAt(data, index) / divisor;
}

/** @returns the weight of an element: 1 where there is no mask */
export function weights(mask: Stored | undefined): (index: number) => number {
  return mask === undefined ? () => 1 : reader(mask);
}
