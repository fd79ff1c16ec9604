/** What a training loss is: what it asks of the data, and the nodes it writes behind the forward graph. */
import type { DatasetTensor } from '../../contracts/dataset.ts';
import type { LossSpec } from '../../contracts/loss.ts';
import type { ValueRule } from '../../datasets/value-rule.ts';
import type { MeanMetric } from '../../metrics/means.ts';
import type { TensorSpec } from '../../tensors/tensor.ts';
import type { Ops } from '../ops.ts';
import type { Activation } from './activation.ts';

/** The dataset tensors a loss reads; none where the model computes its loss itself. */
export interface LossColumns {
  readonly target?: DatasetTensor | undefined;
  readonly mask?: DatasetTensor | undefined;
}

/** A dataset tensor as an input of the graph: rows first, as stored. */
export interface ColumnInput extends TensorSpec {
  readonly divisor?: number | undefined;
}

export interface LossValues {
  /** The graph output, or the logits behind it: F32 or F64. */
  readonly output: TensorSpec;
  readonly target?: ColumnInput | undefined;
  readonly mask?: ColumnInput | undefined;
  /** Some input of the graph that has one row for each of the batch. */
  readonly data: string;
}

/** Names of values, all of the output's element type. */
export interface WrittenLoss {
  /** Scalar: the mean over the elements that count, 0 where none does. */
  readonly loss: string;
  /** Scalar: how many elements count, or the sum of their weights. */
  readonly count: string;
  /** The gradient of the loss with respect to `output`, of its shape. */
  readonly seed: string;
  /** Scalars: over the elements that count, the sums whose means are metrics; the one to show first. */
  readonly sums: Readonly<Partial<Record<MeanMetric, string>>>;
}

export interface Loss<S extends LossSpec> {
  /** Final activations of the output that the loss looks behind. */
  readonly activations: readonly Activation[];
  /**
   * @param output as it is declared or was inferred; symbolic dimensions may be of any size
   * @throws Fault `unprocessable`, field `loss.output`, `loss.target` or `loss.mask`, for what cannot be right
   */
  check(spec: S, output: TensorSpec, columns: LossColumns): void;
  /** What the values of the dataset must be. @throws Fault as `check`, where a symbolic dimension must be known */
  rules(spec: S, output: TensorSpec, columns: LossColumns): ValueRule[];
  write(ops: Ops, spec: S, values: LossValues): WrittenLoss;
}
