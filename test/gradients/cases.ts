/** One or more cases for every operator with a gradient rule, for the finite-difference check. */
import type { Attributes } from '../../core/onnx/attributes.ts';
import { createRandom } from '../../core/random.ts';
import { elementCount } from '../../core/tensors/tensor.ts';

export type Operand =
  /** Differentiated. */
  | { readonly kind: 'parameter'; readonly shape: readonly number[]; readonly values: readonly number[] }
  /** Of the same element type as the parameters, not differentiated. */
  | { readonly kind: 'float'; readonly shape: readonly number[]; readonly values: readonly number[] }
  | { readonly kind: 'I64' | 'BOOL'; readonly shape: readonly number[]; readonly values: readonly number[] }
  /** An optional input left out. */
  | { readonly kind: 'none' };

export interface Case {
  readonly op: string;
  /** What this case is about, where an operator has several. */
  readonly about?: string;
  readonly operands: readonly Operand[];
  readonly attributes?: Attributes;
  /** Number of outputs, default 1. */
  readonly outputs?: number;
  /** ONNX Runtime has no float64 kernel for it: checked in float32, less sharply. */
  readonly isSingle?: true;
}

const random = createRandom(20_26);

/** Between 0.2 and 1.7 in magnitude and of either sign: away from the kinks at 0, and from ±3. */
const draw = () => (random.uniform() < 0.5 ? -1 : 1) * (0.2 + 1.5 * random.uniform());

const filled = (shape: readonly number[], value: () => number) =>
  Array.from({ length: elementCount(shape) }, value);

const param = (...shape: number[]): Operand => ({ kind: 'parameter', shape, values: filled(shape, draw) });
const positive = (...shape: number[]): Operand => ({
  kind: 'parameter',
  shape,
  values: filled(shape, () => Math.abs(draw())),
});
const chosen = (...values: number[]): Operand => ({ kind: 'parameter', shape: [values.length], values });
const constant = (value: number): Operand => ({ kind: 'float', shape: [], values: [value] });
const int = (...values: number[]): Operand => ({ kind: 'I64', shape: [values.length], values });
const ints = (shape: number[], ...values: number[]): Operand => ({ kind: 'I64', shape, values });
const bool = (shape: number[], ...values: number[]): Operand => ({ kind: 'BOOL', shape, values });
const none: Operand = { kind: 'none' };

const unary = (op: string, operand: Operand = param(2, 5), attributes: Attributes = {}): Case => ({
  op,
  operands: [operand],
  attributes,
});
const single = (each: Case): Case => ({ ...each, isSingle: true });
const binary = (op: string): Case[] => [
  { op, about: 'equal shapes', operands: [param(2, 3), param(2, 3)] },
  { op, about: 'a vector over rows', operands: [param(2, 3), param(3)] },
  { op, about: 'both stretched', operands: [param(2, 1, 3), param(4, 1)] },
  { op, about: 'a scalar', operands: [param(), param(2, 2)] },
  { op, about: 'a constant', operands: [param(3), constant(1.5)] },
];
const reduction = (op: string, operand: (...shape: number[]) => Operand = param): Case[] => [
  { op, about: 'all', operands: [operand(2, 3)], attributes: { keepdims: 0 } },
  { op, about: 'one axis', operands: [operand(2, 3, 2), int(1)], attributes: { keepdims: 0 } },
  { op, about: 'kept, negative', operands: [operand(2, 3, 2), int(-1, 0)], attributes: { keepdims: 1 } },
  { op, about: 'no axes, no work', operands: [operand(2, 3)], attributes: { noop_with_empty_axes: 1 } },
];

export const CASES: readonly Case[] = [
  ...['Identity', 'Neg', 'Abs', 'Exp', 'Reciprocal', 'Sin', 'Cos'].map((op) => unary(op)),
  ...['Tanh', 'Sigmoid', 'Relu'].map((op) => unary(op)),
  ...['Erf', 'Softplus', 'Softsign', 'LeakyRelu', 'Elu', 'Selu', 'Gelu'].map((op) => single(unary(op))),
  unary('Log', positive(2, 3)),
  unary('Sqrt', positive(2, 3)),
  single(unary('Elu', param(2, 5), { alpha: { float: 1.7 } })),
  single(unary('LeakyRelu', param(2, 5), { alpha: { float: 0.3 } })),
  single(unary('HardSigmoid', chosen(-4, -2, 0.5, 2, 4))),
  single(unary('HardSwish', chosen(-4, -2, 0.5, 2, 4))),
  unary('Gelu', param(2, 5), { approximate: 'tanh' }),
  unary('Dropout'),
  { op: 'Cast', operands: [param(2, 2)], attributes: { to: 1 } },
  { op: 'Clip', about: 'both bounds', operands: [chosen(-2, -0.5, 0.5, 2), constant(-1), constant(1)] },
  { op: 'Clip', about: 'upper only', operands: [chosen(-2, -0.5, 0.5, 2), none, constant(1)] },
  single({ op: 'PRelu', operands: [param(2, 3), param(3)] }),
  { op: 'CumSum', operands: [param(3, 2), ints([], 0)] },
  { op: 'CumSum', about: 'exclusive', operands: [param(3), ints([], 0)], attributes: { exclusive: 1 } },
  { op: 'CumSum', about: 'reverse', operands: [param(3), ints([], 0)], attributes: { reverse: 1 } },

  ...['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min'].flatMap(binary),
  { op: 'Pow', about: 'a constant exponent', operands: [positive(2, 3), constant(2.5)] },
  { op: 'Pow', about: 'a negative base', operands: [param(2, 3), constant(3)] },
  { op: 'Pow', about: 'a learnt exponent', operands: [positive(2, 3), param(3)] },
  { op: 'Max', about: 'three', operands: [param(2, 3), param(3), param(1)] },
  { op: 'Sum', operands: [param(2, 3), param(3), param(2, 1)] },
  single({ op: 'Mean', operands: [param(2, 3), param(3), param(2, 1)] }),
  { op: 'Where', operands: [bool([2, 3], 1, 0, 1, 0, 0, 1), param(2, 3), param(3)] },
  { op: 'Where', about: 'a masked scalar', operands: [bool([1, 3], 1, 0, 1), constant(-9), param(2, 3)] },

  { op: 'Gemm', operands: [param(2, 3), param(3, 4), param(4)] },
  { op: 'Gemm', about: 'without bias', operands: [param(2, 3), param(3, 4)] },
  ...[
    { transA: 0, transB: 1 },
    { transA: 1, transB: 0 },
    { transA: 1, transB: 1 },
  ].map(({ transA, transB }): Case => ({
    op: 'Gemm',
    about: `transposed ${transA}${transB}, scaled`,
    operands: [
      transA === 1 ? param(3, 2) : param(2, 3),
      transB === 1 ? param(4, 3) : param(3, 4),
      param(2, 1),
    ],
    attributes: { transA, transB, alpha: { float: 0.7 }, beta: { float: -1.3 } },
  })),
  ...[
    [
      [2, 3],
      [3, 4],
    ],
    [
      [2, 2, 3],
      [3, 4],
    ],
    [
      [2, 2, 3],
      [2, 3, 2],
    ],
    [
      [2, 1, 2, 3],
      [2, 3, 2],
    ],
    [
      [2, 3],
      [2, 3, 2],
    ],
    [[3], [3]],
    [[3], [3, 2]],
    [[2, 3], [3]],
    [[3], [2, 3, 2]],
    [[2, 2, 3], [3]],
  ].map(([a = [], b = []]): Case => ({
    op: 'MatMul',
    about: `[${a.join()}] by [${b.join()}]`,
    operands: [param(...a), param(...b)],
  })),

  ...['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin'].flatMap((op) => reduction(op)),
  ...['ReduceSumSquare', 'ReduceL1', 'ReduceL2', 'ReduceLogSumExp'].flatMap((op) => reduction(op)),
  ...reduction('ReduceLogSum', positive),

  { op: 'Reshape', operands: [param(2, 6), int(3, -1)] },
  { op: 'Flatten', operands: [param(2, 3, 2)], attributes: { axis: 1 } },
  { op: 'Squeeze', operands: [param(2, 1, 3), int(1)] },
  { op: 'Unsqueeze', operands: [param(2, 3), int(0, 3)] },
  { op: 'Transpose', operands: [param(2, 3, 2)], attributes: { perm: [2, 0, 1] } },
  { op: 'Transpose', about: 'reversed by default', operands: [param(2, 3, 2)] },
  { op: 'Expand', operands: [param(3, 1), int(2, 3, 4)] },
  { op: 'Concat', operands: [param(2, 1), param(2, 3)], attributes: { axis: -1 } },
  { op: 'Slice', operands: [param(4, 5), int(1, -3), int(3, -1), int(0, 1)] },
  { op: 'Slice', about: 'ends beyond the tensor', operands: [param(4), int(-9), int(99)] },
  { op: 'Gather', operands: [param(4, 2), ints([2, 3], 0, 1, 1, 3, -1, 0)] },
  { op: 'Gather', about: 'one row', operands: [param(4, 2), ints([], 2)] },
  {
    op: 'Gather',
    about: 'inner axis',
    operands: [param(2, 4, 3), ints([2, 2], 1, 1, 0, 3)],
    attributes: { axis: 1 },
  },
  { op: 'Gather', about: 'last axis, one', operands: [param(2, 4), ints([], 1)], attributes: { axis: -1 } },
  { op: 'GatherElements', operands: [param(3, 2), ints([2, 2], 0, 2, 2, 2)], attributes: { axis: 0 } },
  { op: 'Pad', operands: [param(2, 3), int(1, 0, 0, 2)] },
  { op: 'Pad', about: 'cropping, axes', operands: [param(2, 3), int(-1, 2), none, int(1)] },
  { op: 'Split', operands: [param(2, 5), int(2, 3)], attributes: { axis: 1 }, outputs: 2 },
  { op: 'Split', about: 'equal', operands: [param(4, 2)], attributes: { num_outputs: 2 }, outputs: 2 },

  { op: 'Softmax', operands: [param(2, 4)] },
  { op: 'Softmax', about: 'inner axis', operands: [param(2, 3, 2)], attributes: { axis: 1 } },
  { op: 'LogSoftmax', operands: [param(2, 4)] },
  { op: 'LayerNormalization', operands: [param(2, 3, 4), param(4), param(4)] },
  {
    op: 'LayerNormalization',
    about: 'two axes',
    operands: [param(2, 3, 4), param(3, 4)],
    attributes: { axis: 1 },
  },

  { op: 'SoftmaxCrossEntropyLoss', operands: [param(3, 4), int(0, 3, 1)] },
  {
    op: 'SoftmaxCrossEntropyLoss',
    about: 'sum over positions, one ignored',
    operands: [param(2, 3, 2), ints([2, 2], 0, 2, -1, 1)],
    attributes: { reduction: 'sum', ignore_index: -1 },
  },
  {
    op: 'SoftmaxCrossEntropyLoss',
    about: 'mean of those not ignored',
    operands: [param(3, 4), int(0, 2, 1)],
    attributes: { ignore_index: 2 },
  },
  {
    op: 'SoftmaxCrossEntropyLoss',
    about: 'each by itself',
    operands: [param(3, 4), int(0, 2, 1)],
    attributes: { reduction: 'none' },
  },
  { op: 'NegativeLogLikelihoodLoss', operands: [param(3, 4), int(0, 3, 1)] },
  {
    op: 'NegativeLogLikelihoodLoss',
    about: 'positions',
    operands: [param(2, 3, 2), ints([2, 2], 0, 2, 1, 1)],
    attributes: { reduction: 'sum' },
  },
];
