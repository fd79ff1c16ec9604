/** From nested JSON arrays to the tensor of one row. */
import { Fault } from '../../../core/errors.ts';
import { DTYPES } from '../../../core/tensors/dtypes.ts';
import type { TensorSpec, TensorValue } from '../../../core/tensors/tensor.ts';

/**
 * @param value numbers or booleans, nested as the input's dimensions behind the first are
 * @returns one row
 * @throws Fault `invalid` naming the input
 */
export function rowTensor({ name, dtype, shape: wanted }: TensorSpec, value: unknown): TensorValue {
  const refuse = (message: string): never => {
    throw new Fault('invalid', `${name}: ${message}`, { field: name });
  };
  if (value === undefined) refuse('is missing');
  const shape: number[] = [];
  for (let inner = value; Array.isArray(inner); inner = (inner as unknown[])[0]) shape.push(inner.length);
  const perRow = wanted.slice(1);
  if (
    shape.length !== perRow.length ||
    !perRow.every((size, axis) => typeof size === 'string' || size === shape[axis])
  )
    refuse(`is [${shape.join(', ')}], the model takes [${perRow.join(', ')}]`);
  const numbers: number[] = [];
  const collect = (part: unknown, axis: number): void => {
    const size = shape[axis];
    if (size === undefined) {
      if (typeof part !== 'number' && typeof part !== 'boolean') refuse('must be numbers');
      numbers.push(Number(part));
    } else if (!Array.isArray(part) || part.length !== size) {
      refuse('its arrays are of different lengths');
    } else for (const each of part as unknown[]) collect(each, axis + 1);
  };
  collect(value, 0);
  const data = new DTYPES[dtype].array(numbers.length);
  const isBig = data instanceof BigInt64Array || data instanceof BigUint64Array;
  if (isBig && !numbers.every(Number.isInteger)) refuse(`must be whole numbers, it is ${dtype}`);
  for (const [i, number] of numbers.entries()) data[i] = isBig ? BigInt(number) : number;
  return { dtype, shape: [1, ...shape], data };
}
