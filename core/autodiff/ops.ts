/** The vocabulary gradient rules are written in: short names for the ONNX nodes they emit. */
import type { Attributes } from '../onnx/attributes.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import { elementCount } from '../tensors/tensor.ts';
import { DTYPES, type DType } from '../tensors/dtypes.ts';

/** A string is a symbolic dimension. */
export type Shape = readonly (number | string)[];

export const isStatic = (shape: Shape): shape is readonly number[] =>
  shape.every((dimension) => typeof dimension === 'number');

/** 0 … n-1. */
export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** The permutation that undoes one. */
export const inversePermutation = (perm: readonly number[]): number[] =>
  range(perm.length).map((axis) => perm.indexOf(axis));

/** A possibly negative axis counted from the front. */
export const positiveAxis = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

const LARGEST_F32 = 3.4028234663852886e38;

export class Ops {
  readonly graph: GraphBuilder;
  /** Vectors of ones, by element type and what they are as long as. */
  readonly #ones = new Map<string, string>();
  /** Gradient → a value where it is known to be 0 wherever that value is not positive: a Relu need not mask it. */
  readonly rectified = new Map<string, string>();
  /** Gradient → a smaller value of as many axes that sums to the same within each channel. */
  readonly channelTotals = new Map<string, string>();
  /** What was reshaped, by what came of it. */
  readonly #reshaped = new Map<string, string>();

  constructor(graph: GraphBuilder) {
    this.graph = graph;
  }

  op(opType: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.graph.op(opType, inputs, attributes);
  }

  /** A scalar of a floating-point type. */
  scalar(dtype: DType, value: number): string {
    const data = dtype === 'F64' ? Float64Array.of(value) : Float32Array.of(value);
    return this.graph.constant({ dtype: dtype === 'F64' ? 'F64' : 'F32', shape: [], data });
  }

  /** A vector of int64: axes, shapes, pads. */
  ints(values: readonly number[]): string {
    return this.graph.constant({
      dtype: 'I64',
      shape: [values.length],
      data: BigInt64Array.from(values, BigInt),
    });
  }

  add = (a: string, b: string) => this.op('Add', [a, b]);
  sub = (a: string, b: string) => this.op('Sub', [a, b]);
  mul = (a: string, b: string) => this.op('Mul', [a, b]);
  div = (a: string, b: string) => this.op('Div', [a, b]);
  neg = (a: string) => this.op('Neg', [a]);
  cast = (a: string, dtype: DType) => this.op('Cast', [a], { to: DTYPES[dtype].onnx });
  /** 1 where a condition holds, 0 elsewhere: cheaper to multiply by than a Where. */
  indicator = (condition: string, dtype: DType) => this.cast(condition, dtype);
  /**
   * 1 where a value that is never negative is positive, 0 where it is 0. In float32 a slope so steep does in one pass
   * over memory what comparing and casting do in two; only what is smaller than 2.9e-39 does not reach 1.
   */
  step = (value: string, dtype: DType) =>
    dtype === 'F32'
      ? this.op('HardSigmoid', [value], { alpha: { float: LARGEST_F32 }, beta: { float: 0 } })
      : this.indicator(this.op('Greater', [value, this.scalar(dtype, 0)]), dtype);
  /** 1 where a float32 value that is never positive is 0, 0 where it is negative: as {@link step}. */
  isZero = (value: string) =>
    this.op('HardSigmoid', [value], { alpha: { float: LARGEST_F32 }, beta: { float: 1 } });
  transpose = (a: string, perm: readonly number[]) => this.op('Transpose', [a], { perm });
  /** Of what was reshaped before, the first shape: a step in between costs the runtime a node and gives nothing. */
  reshape(a: string, shape: readonly number[]): string {
    const source = shape.includes(0) ? a : (this.#reshaped.get(a) ?? a);
    const result = this.op('Reshape', [source, this.ints(shape)]);
    this.#reshaped.set(result, source);
    return result;
  }
  unsqueeze = (a: string, axes: readonly number[]) => this.op('Unsqueeze', [a, this.ints(axes)]);

  /** Sums over the axes; over none, it is the value itself. */
  sum(value: string, axes: readonly number[], keepdims: boolean): string {
    if (axes.length === 0) return value;
    return this.op('ReduceSum', [value, this.ints(axes)], { keepdims: keepdims ? 1 : 0 });
  }

  /**
   * Sums over every axis but the last, as a product with ones: ONNX Runtime reduces rows several times slower than it
   * multiplies them (256 × 128: 26 µs and 3 µs).
   */
  sumRows(value: string, shape: Shape, dtype: DType): string {
    const outer = shape.slice(0, -1);
    const rows =
      outer.length === 1 ? value : this.op('Reshape', [value, this.ints([-1, Number(shape.at(-1))])]);
    const key = `${dtype} ${outer.join()}`;
    let ones = this.#ones.get(key);
    if (ones === undefined) {
      const length = isStatic(outer)
        ? this.ints([elementCount(outer)])
        : this.op('Shape', [rows], { end: 1 });
      ones = this.op('Expand', [this.scalar(dtype, 1), length]);
      this.#ones.set(key, ones);
    }
    return this.op('MatMul', [ones, rows]);
  }

  /** Swaps the last two axes. */
  swap(value: string, rank: number): string {
    const perm = range(rank);
    [perm[rank - 2], perm[rank - 1]] = [rank - 1, rank - 2];
    return this.transpose(value, perm);
  }

  /** An int64 vector with the shape: constant where it is known. @param of a value of that shape */
  shapeVector(of: string, shape: Shape): string {
    return isStatic(shape) ? this.ints(shape) : this.op('Shape', [of]);
  }

  /** Reshapes to the shape of another value with as many elements. */
  like(value: string, of: string, shape: Shape): string {
    const symbolic = shape.filter((dimension) => typeof dimension === 'string').length;
    if (symbolic <= 1 && !shape.includes(0))
      return this.reshape(
        value,
        shape.map((dimension) => (typeof dimension === 'string' ? -1 : dimension)),
      );
    return this.op('Reshape', [value, this.op('Shape', [of])], { allowzero: 1 });
  }

  /** Broadcasts to the shape of another value. */
  expand(value: string, of: string, shape: Shape): string {
    return this.op('Expand', [value, this.shapeVector(of, shape)]);
  }

  zeros(of: string, shape: Shape, dtype: DType): string {
    return this.expand(this.scalar(dtype, 0), of, shape);
  }

  /** The product of some dimensions, as a floating-point scalar. */
  count(of: string, shape: Shape, axes: readonly number[], dtype: DType): string {
    const dimensions = axes.map((axis) => shape[axis] ?? 1);
    if (isStatic(dimensions)) return this.scalar(dtype, elementCount(dimensions));
    return this.cast(this.op('ReduceProd', [this.dimensions(of, shape, axes)], { keepdims: 0 }), dtype);
  }

  /** Some dimensions of a value, as an int64 vector: constant where they are known. */
  dimensions(of: string, shape: Shape, axes: readonly number[]): string {
    const dimensions = axes.map((axis) => shape[axis] ?? 1);
    if (isStatic(dimensions)) return this.ints(dimensions);
    return this.op('Gather', [this.op('Shape', [of]), this.ints(axes)]);
  }

  /**
   * Undoes broadcasting: sums a gradient of shape `from` down to shape `to`.
   * @param of a value of shape `to`: its shape is read at run time where symbolic dimensions leave open which axes
   *   were stretched
   */
  unbroadcast(value: string, dtype: DType, from: Shape, to: Shape, of: string): string {
    const lead = from.length - to.length;
    const [width] = to;
    if (to.length === 1 && typeof width === 'number' && width > 1 && lead > 0)
      return this.sumRows(value, from, dtype);
    const stretched = range(to.length).filter((axis) => to[axis] === 1 && from[lead + axis] !== 1);
    // A dimension other than 1 cannot be stretched: if it is a number it is the wide one's too.
    const open = range(to.length).filter(
      (axis) => typeof to[axis] === 'string' && to[axis] !== from[lead + axis],
    );
    const summed = this.sum(this.sum(value, range(lead), false), stretched, true);
    if (open.length === 0) return summed;
    const isOne = this.op('Equal', [this.dimensions(of, to, open), this.ints([1])]);
    const axes = this.op('Compress', [this.ints(open), isOne], { axis: 0 });
    return this.op('ReduceSum', [summed, axes], { keepdims: 1, noop_with_empty_axes: 1 });
  }
}
