/** What a case of the finite-difference check is, and the words to write one. */
import type { Attributes } from '../../../core/onnx/attributes.ts';
import { createRandom, permutation } from '../../../core/random.ts';
import { elementCount } from '../../../core/tensors/tensor.ts';

export type Operand =
  /** Differentiated. */
  | { readonly kind: 'parameter'; readonly shape: readonly number[]; readonly values: readonly number[] }
  /** Of the same element type as the parameters, not differentiated. */
  | { readonly kind: 'float'; readonly shape: readonly number[]; readonly values: readonly number[] }
  | {
      readonly kind: 'I64' | 'I32' | 'BOOL' | 'F32';
      readonly shape: readonly number[];
      readonly values: readonly number[];
    }
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
  /** The others are not differentiated. */
  readonly isFirstOnly?: true;
  /** The parameters' dimensions are known only at run time. */
  readonly isSymbolic?: true;
  /** ONNX Runtime has no float64 kernel for it: checked in float32, less sharply. */
  readonly isSingle?: true;
  /** The rule takes another way in float32: checked in both. */
  readonly isAlsoSingle?: true;
}

const random = createRandom(20_26);

/** Between 0.2 and 1.7 in magnitude and of either sign: away from the kinks at 0, and from ±3. */
const draw = () => (random.uniform() < 0.5 ? -1 : 1) * (0.2 + 1.5 * random.uniform());

const filled = (shape: readonly number[], value: () => number) =>
  Array.from({ length: elementCount(shape) }, value);

export const param = (...shape: number[]): Operand => ({
  kind: 'parameter',
  shape,
  values: filled(shape, draw),
});
export const positive = (...shape: number[]): Operand => ({
  kind: 'parameter',
  shape,
  values: filled(shape, () => Math.abs(draw())),
});
/** In the open interval, away from its ends. */
export const between = (low: number, high: number, ...shape: number[]): Operand => ({
  kind: 'parameter',
  shape,
  values: filled(shape, () => low + (high - low) * (0.1 + 0.8 * random.uniform())),
});
export const chosen = (...values: number[]): Operand => ({
  kind: 'parameter',
  shape: [values.length],
  values,
});
/** In random order, with 0.1 between any two: a finite difference does not change which is the largest. */
export function distinct(...shape: number[]): Operand {
  const count = elementCount(shape);
  const values = permutation(count, random);
  return { kind: 'parameter', shape, values: Array.from(values, (value) => (value - count / 2) / 10) };
}
export const given = (shape: number[], ...values: number[]): Operand => ({
  kind: 'parameter',
  shape,
  values,
});
export const constant = (value: number): Operand => ({ kind: 'float', shape: [], values: [value] });
/** Given as float32 whatever the parameters are. */
export const floats = (...values: number[]): Operand => ({ kind: 'F32', shape: [values.length], values });
export const int = (...values: number[]): Operand => ({ kind: 'I64', shape: [values.length], values });
export const ints = (shape: number[], ...values: number[]): Operand => ({ kind: 'I64', shape, values });
export const bool = (shape: number[], ...values: number[]): Operand => ({ kind: 'BOOL', shape, values });
export const narrow = (shape: number[], ...values: number[]): Operand => ({ kind: 'I32', shape, values });
export const vector = (...values: number[]): Operand => ({ kind: 'float', shape: [values.length], values });
export const none: Operand = { kind: 'none' };

export const unary = (op: string, operand: Operand = param(2, 5), attributes: Attributes = {}): Case => ({
  op,
  operands: [operand],
  attributes,
});
export const symbolic = (each: Case): Case => ({
  ...each,
  about: `${each.about ?? ''} of symbolic shape`.trim(),
  isSymbolic: true,
});
export const single = (each: Case): Case => ({ ...each, isSingle: true });
export const binary = (op: string): Case[] => [
  { op, about: 'equal shapes', operands: [param(2, 3), param(2, 3)] },
  { op, about: 'a vector over rows', operands: [param(2, 3), param(3)] },
  { op, about: 'both stretched', operands: [param(2, 1, 3), param(4, 1)] },
  { op, about: 'a scalar', operands: [param(), param(2, 2)] },
  { op, about: 'a constant', operands: [chosen(-1.2, 0.7, 1.9), constant(1.5)] },
];
export const reduction = (op: string, operand: (...shape: number[]) => Operand = param): Case[] => [
  { op, about: 'all', operands: [operand(2, 3)], attributes: { keepdims: 0 } },
  { op, about: 'one axis', operands: [operand(2, 3, 2), int(1)], attributes: { keepdims: 0 } },
  { op, about: 'kept, negative', operands: [operand(2, 3, 2), int(-1, 0)], attributes: { keepdims: 1 } },
  { op, about: 'no axes, no work', operands: [operand(2, 3)], attributes: { noop_with_empty_axes: 1 } },
];
