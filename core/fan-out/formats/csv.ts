/**
 * CSV (RFC 4180) with a header: `row`, then an output by its name where a row of it is one number, and else a column
 * for each element, `probabilities.0`, `boxes.0.3`.
 */
import type { TensorValue } from '../../tensors/tensor.ts';
import { ROW_COLUMN } from './columns.ts';
import type { Format } from './format.ts';
import { numberWriter, USUAL_CELL } from './numbers.ts';
import { textWriter } from './text-writer.ts';

const [COMMA, RETURN, LINE_FEED] = [0x2c, 0x0d, 0x0a];

export const csv: Format = {
  extension: 'csv',
  contentType: 'text/csv; charset=utf-8',
  encode({ start, rows, tensors }) {
    const columns = [...tensors].map(([name, value]) => ({
      names: columnNames(name, value),
      write: numberWriter(value, String),
    }));
    const perRow = columns.reduce((sum, { names }) => sum + names.length, 1);
    const out = textWriter(rows * perRow * USUAL_CELL);
    const end = () => {
      out.byte(RETURN);
      out.byte(LINE_FEED);
    };
    out.text([ROW_COLUMN, ...columns.flatMap(({ names }) => names)].map(quoted).join(','));
    end();
    for (let row = 0; row < rows; row++) {
      out.integer(start + row);
      for (const { names, write } of columns)
        for (let i = 0; i < names.length; i++) {
          out.byte(COMMA);
          write(out, row * names.length + i);
        }
      end();
    }
    return out.result();
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
