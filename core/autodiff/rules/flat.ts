/**
 * Where gradients end by nature. These are not missing rules: the derivative is zero almost everywhere, or the value
 * read is a setting of the operator and no data.
 */
import { isDefaultDomain } from '../../onnx/check.ts';
import type { NodeProto } from '../../onnx/proto.ts';

/** Floating-point operators that are constant between jumps, or take only the shape of their input. */
const STEPS: ReadonlySet<string> = new Set([
  'Bernoulli',
  'Ceil',
  'EyeLike',
  'Floor',
  'Hardmax',
  'RandomNormalLike',
  'RandomUniformLike',
  'Round',
  'Sign',
]);

/** Floating-point inputs that configure an operator, by position. */
const SETTINGS: Readonly<Record<string, readonly number[]>> = {
  CastLike: [1],
  Dropout: [1],
  NegativeLogLikelihoodLoss: [2],
  Resize: [1, 2],
  SoftmaxCrossEntropyLoss: [2],
};

/**
 * Operators that decide or measure by a floating-point value: a threshold, a mask or a sample for its shape. A tensor
 * that is only used so is a constant of the model's formula.
 */
const DECISIONS: ReadonlySet<string> = new Set([
  'Equal',
  'Greater',
  'GreaterOrEqual',
  'IsInf',
  'IsNaN',
  'Less',
  'LessOrEqual',
  'NonZero',
  'Shape',
  'Size',
]);

export const isStep = (node: NodeProto): boolean => isDefaultDomain(node.domain) && STEPS.has(node.opType);

export const isDecision = (node: NodeProto): boolean =>
  isDefaultDomain(node.domain) && DECISIONS.has(node.opType);

export const isSetting = (node: NodeProto, input: number): boolean =>
  isDefaultDomain(node.domain) && (SETTINGS[node.opType]?.includes(input) ?? false);

/** What to do about operators that gradients are known for in another form. */
const ADVICE: Readonly<Record<string, string>> = {
  GRU: 'unroll it over its steps into MatMul, Add, Sigmoid, Tanh and Mul',
  LSTM: 'unroll it over its steps into MatMul, Add, Sigmoid, Tanh and Mul',
  RNN: 'unroll it over its steps into MatMul, Add and Tanh',
  If: 'export the branch that is trained without the condition',
  Loop: 'unroll it: control flow is not differentiated',
  Scan: 'unroll it: control flow is not differentiated',
};

export const adviceFor = (node: NodeProto): string | undefined =>
  isDefaultDomain(node.domain) ? ADVICE[node.opType] : undefined;
