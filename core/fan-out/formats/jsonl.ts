/** JSON Lines: `{"row":17,"probabilities":[0.1,0.9]}`, nested as the tensor is; NaN and infinities are null. */
import type { TensorValue } from '../../tensors/tensor.ts';
import { ROW_COLUMN } from './columns.ts';
import { type Format, utf8 } from './format.ts';
import { numberWriter, USUAL_CELL } from './numbers.ts';
import { type TextWriter, textWriter } from './text-writer.ts';

const [COMMA, OPEN, CLOSE] = [0x2c, 0x5b, 0x5d];
/** Bytes of a row besides its cells. */
const USUAL_ROW = 32;

export const jsonl: Format = {
  extension: 'jsonl',
  contentType: 'application/x-ndjson',
  encode({ start, rows, tensors }) {
    const columns = [...tensors].map(([name, value]) => ({
      before: utf8(`,${JSON.stringify(name)}:`),
      write: rowWriter(value),
    }));
    const [opening, closing] = [utf8(`{"${ROW_COLUMN}":`), utf8('}\n')];
    const cells = [...tensors.values()].reduce((sum, { data }) => sum + data.length, 0);
    const out = textWriter(rows * USUAL_ROW + cells * USUAL_CELL);
    for (let row = 0; row < rows; row++) {
      out.bytes(opening);
      out.integer(start + row);
      for (const { before, write } of columns) {
        out.bytes(before);
        write(out, row);
      }
      out.bytes(closing);
    }
    return out.result();
  },
};

/** A row's value as JSON: a number, or as many brackets as it has dimensions. */
export function rowText(value: TensorValue, row: number): string {
  const out = textWriter();
  rowWriter(value)(out, row);
  return new TextDecoder().decode(out.result());
}

function rowWriter(value: TensorValue): (out: TextWriter, row: number) => void {
  const number = numberWriter(value, () => 'null');
  const [, ...shape] = value.shape;
  const perRow = shape.reduce((product, size) => product * size, 1);
  const write = (out: TextWriter, from: number, axis: number, length: number): void => {
    const size = shape[axis];
    if (size === undefined) return number(out, from);
    const stride = size === 0 ? 0 : length / size;
    out.byte(OPEN);
    for (let i = 0; i < size; i++) {
      if (i > 0) out.byte(COMMA);
      write(out, from + i * stride, axis + 1, stride);
    }
    out.byte(CLOSE);
  };
  return (out, row) => write(out, row * perRow, 0, perRow);
}
