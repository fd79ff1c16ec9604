/** How the rows of a dataset tensor lie over an output: never by broadcasting, which would pair what is no pair. */
import type { DatasetTensor } from '../../contracts/dataset.ts';
import { Fault } from '../../errors.ts';
import type { TensorSpec } from '../../tensors/tensor.ts';
import type { Ops, Shape } from '../ops.ts';
import type { ColumnInput, LossColumns } from './loss.ts';

/** Whether rows of this shape can be fed; a symbolic dimension takes any size. */
export const fits = (wanted: Shape, shape: readonly number[]): boolean =>
  wanted.length === shape.length &&
  wanted.every((dimension, i) => typeof dimension === 'string' || dimension === shape[i]);

const squeezed = <T extends number | string>(shape: readonly T[]): readonly T[] =>
  shape.filter((dimension) => dimension !== 1);

/** The same elements in the same order: as {@link fits}, dimensions of 1 left aside. */
export const fitsElements = (wanted: Shape, shape: readonly number[]): boolean =>
  fits(wanted, shape) || fits(squeezed(wanted), squeezed(shape));

export const show = (shape: Shape) => `[${shape.join(', ')}]`;

/** A Fault about a part of the loss. */
export const refusal = (part: 'output' | 'target' | 'mask', message: string) =>
  new Fault('unprocessable', `loss.${part}: ${message}`, { field: `loss.${part}` });

/** @throws Fault where the output is not floating point with a batch of any size */
export function checkOutput({ name, dtype, shape }: TensorSpec): void {
  if (dtype !== 'F32' && dtype !== 'F64')
    throw refusal('output', `${name} is ${dtype} ${show(shape)}: a loss needs floating point`);
  if (typeof shape[0] !== 'string')
    throw refusal('output', `${name} is ${show(shape)}: its first dimension must be the batch, of any size`);
}

/** @throws Fault where there is no target */
export function targetOf({ target }: { readonly target?: DatasetTensor | undefined }): DatasetTensor {
  if (target === undefined) throw refusal('target', 'this loss needs one');
  return target;
}

/** @param wanted the shape of a row's elements @throws Fault where the mask has another */
export function checkMask({ mask }: LossColumns, wanted: Shape): void {
  if (mask !== undefined && !fitsElements(wanted, mask.shape))
    throw refusal('mask', `a row is ${show(mask.shape)}: there is one weight per element, ${show(wanted)}`);
}

/** A stored column in the output's element type and in the shape of another value. */
export function columnAs(ops: Ops, column: ColumnInput, like: string, dtype: TensorSpec['dtype']): string {
  const cast = column.dtype === dtype ? column.name : ops.cast(column.name, dtype);
  const divided = (column.divisor ?? 1) === 1 ? cast : ops.div(cast, ops.scalar(dtype, column.divisor ?? 1));
  // The shape of what is there: other numbers of elements are an error at run time, not a broadcast.
  return ops.op('Reshape', [divided, ops.op('Shape', [like])]);
}
