/**
 * CSV (RFC 4180) with a header: `row`, then an output by its name where a row of it is one number, and else a column
 * for each element, `probabilities.0`, `boxes.0.3`.
 */
import type { TensorValue } from '../../tensors/tensor.ts';
import { ROW_COLUMN } from './columns.ts';
import { type Format, utf8 } from './format.ts';
import { textOf } from './numbers.ts';

const END = '\r\n';

export const csv: Format = {
  extension: 'csv',
  contentType: 'text/csv; charset=utf-8',
  encode({ start, rows, tensors }) {
    const columns = [...tensors].map(([name, value]) => ({
      names: columnNames(name, value),
      text: textOf(value, String),
    }));
    const header = [ROW_COLUMN, ...columns.flatMap(({ names }) => names)];
    const lines = [header.map(quoted).join(',') + END];
    for (let row = 0; row < rows; row++) {
      let line = String(start + row);
      for (const { names, text } of columns)
        for (let i = 0; i < names.length; i++) line += `,${text(row * names.length + i)}`;
      lines.push(line + END);
    }
    return utf8(lines.join(''));
  },
};

function columnNames(name: string, { shape }: TensorValue): string[] {
  return shape
    .slice(1)
    .reduce<string[]>(
      (names, size) => names.flatMap((prefix) => Array.from({ length: size }, (_, i) => `${prefix}.${i}`)),
      [name],
    );
}

const quoted = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
