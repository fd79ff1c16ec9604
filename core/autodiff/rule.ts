/** What a gradient rule is. */
import type { NodeProto } from '../onnx/proto.ts';
import type { Fault } from '../errors.ts';
import type { DType } from '../tensors/dtypes.ts';
import type { TensorValue } from '../tensors/tensor.ts';
import type { Ops, Shape } from './ops.ts';

export interface RuleContext {
  readonly node: NodeProto;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly ops: Ops;
  /** Element type of the node's first output: F32 or F64. */
  readonly dtype: DType;
  /** ∂loss/∂output 0. */
  readonly d: string;
  /** ∂loss/∂output i for each output; undefined where the loss does not depend on it. */
  readonly gradients: readonly (string | undefined)[];
  /** Of a value of the forward graph. */
  readonly shape: (name: string) => Shape;
  /** Element type of a value of the forward graph. */
  readonly dtypeOf: (name: string) => DType;
  /** The forward node that computes a value. */
  readonly producer: (name: string) => NodeProto | undefined;
  /** The value, where it is an initializer or the output of a Constant. */
  readonly constant: (name: string) => TensorValue | undefined;
  /** Integers that must be known before training (axes, starts …), undefined where the input is left out. */
  readonly integers: (input: number) => readonly number[] | undefined;
  /** The name of an output, which the forward node is made to produce if it did not. */
  readonly expose: (output: number) => string;
  /** The Fault for a form of the operator that the rule does not cover. */
  readonly unsupported: (why: string) => Fault;
}

/** Emits the nodes that compute one input's gradient; called only where that gradient is wanted. */
export type InputGradient = () => string;

/** @returns a gradient for each input; undefined or missing where the operator is not differentiable in it */
export type Rule = (context: RuleContext) => readonly (InputGradient | undefined)[];

export type RuleTable = Readonly<Record<string, Rule>>;
