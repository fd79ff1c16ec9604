import type { Model } from '../../../../core/onnx/model.ts';
import type { TensorValue } from '../../../../core/tensors/tensor.ts';

export interface Network {
  readonly name: string;
  /** Its output `loss` is a scalar. */
  readonly model: Model;
  /** Initializers to differentiate with respect to. */
  readonly parameters: readonly string[];
  /** One batch. */
  readonly inputs: Readonly<Record<string, TensorValue>>;
}
