/** JSON Lines: `{"row":17,"probabilities":[0.1,0.9]}`, nested as the tensor is; NaN and infinities are null. */
import type { TensorValue } from '../../tensors/tensor.ts';
import { ROW_COLUMN } from './columns.ts';
import { type Format, utf8 } from './format.ts';
import { textOf } from './numbers.ts';

export const jsonl: Format = {
  extension: 'jsonl',
  contentType: 'application/x-ndjson',
  encode({ start, rows, tensors }) {
    const columns = [...tensors].map(([name, value]) => [JSON.stringify(name), rowWriter(value)] as const);
    const lines: string[] = [];
    for (let row = 0; row < rows; row++) {
      const values = columns.map(([name, write]) => `,${name}:${write(row)}`);
      lines.push(`{"${ROW_COLUMN}":${start + row}${values.join('')}}\n`);
    }
    return utf8(lines.join(''));
  },
};

/** @returns a row's value as JSON: a number, or as many brackets as it has dimensions */
export function rowWriter(value: TensorValue): (row: number) => string {
  const text = textOf(value, () => 'null');
  const [, ...shape] = value.shape;
  const perRow = shape.reduce((product, size) => product * size, 1);
  const write = (from: number, axis: number, length: number): string => {
    const size = shape[axis];
    if (size === undefined) return text(from);
    const stride = size === 0 ? 0 : length / size;
    const parts: string[] = [];
    for (let i = 0; i < size; i++) parts.push(write(from + i * stride, axis + 1, stride));
    return `[${parts.join(',')}]`;
  };
  return (row) => write(row * perRow, 0, perRow);
}
