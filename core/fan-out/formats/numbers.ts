/** Numbers of a tensor as text that reads back to the same values. */
import type { TensorValue } from '../../tensors/tensor.ts';
import type { TextWriter } from './text-writer.ts';

/** Significant digits that tell every float32 from its neighbours (IEEE 754-2019, table 5.12 … binary32: 9). */
const FLOAT32_DIGITS = 9;
/** Bytes of a number and what separates it from the next: how much memory a text will about take. */
export const USUAL_CELL = 13;

/** @returns writes the element at an index as {@link textOf} has it */
export function numberWriter(
  value: TensorValue,
  notFinite: (value: number) => string,
): (out: TextWriter, index: number) => void {
  const text = textOf(value, notFinite);
  const { data } = value;
  if (!(data instanceof Float32Array)) return (out, index) => out.text(text(index));
  return (out, index) => {
    if (!out.float32(data[index]!)) out.text(text(index));
  };
}

/**
 * @returns the element at an index, in JSON's spelling: integers of 64 bits with all their digits, booleans as words.
 * What JSON has no word for is `notFinite`'s.
 */
export function textOf(
  { dtype, data }: TensorValue,
  notFinite: (value: number) => string,
): (index: number) => string {
  if (dtype === 'BOOL') return (index) => (data[index] === 0 ? 'false' : 'true');
  if (data instanceof Float32Array)
    return (index) => {
      const value = data[index]!;
      if (!Number.isFinite(value)) return notFinite(value);
      // As a double, 0.1 would have seventeen digits.
      return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(FLOAT32_DIGITS)));
    };
  if (data instanceof Float64Array)
    return (index) => {
      const value = data[index]!;
      return Number.isFinite(value) ? String(value) : notFinite(value);
    };
  return (index) => String(data[index]);
}
