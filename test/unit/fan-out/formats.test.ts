import { describe, expect, test } from 'vitest';
import { csv } from '../../../core/fan-out/formats/csv.ts';
import { jsonl } from '../../../core/fan-out/formats/jsonl.ts';
import { textOf } from '../../../core/fan-out/formats/numbers.ts';
import { textWriter } from '../../../core/fan-out/formats/text-writer.ts';
import { createRandom } from '../../../core/random.ts';
import type { TensorValue } from '../../../core/tensors/tensor.ts';

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const floats = (data: Float32Array): TensorValue => ({ dtype: 'F32', shape: [data.length], data });

/** What is written without JavaScript's own spelling, each value beside that. */
function compare(data: Float32Array): { readonly wrong: string[]; readonly written: number } {
  const spelled = textOf(floats(data), String);
  const wrong: string[] = [];
  let written = 0;
  for (const [i, value] of data.entries()) {
    const out = textWriter();
    if (!out.float32(value)) continue;
    written += 1;
    const text = decode(out.result());
    if (text !== spelled(i)) wrong.push(`${text} for ${spelled(i)}`);
  }
  return { wrong, written };
}

describe('float32 as text', () => {
  test('any bits: as JavaScript spells nine digits of them', () => {
    const random = createRandom(5);
    const bits = Uint32Array.from({ length: 100_000 }, () => random.below(2 ** 32));
    const { wrong, written } = compare(new Float32Array(bits.buffer));
    expect(wrong).toEqual([]);
    expect(written).toBeGreaterThan(15_000);
  });

  test('the sizes that models put out, where nearly none is left to JavaScript', () => {
    const random = createRandom(6);
    const data = Float32Array.from(
      { length: 100_000 },
      (_, i) => (random.below(2 ** 31) / 2 ** 31 - 0.5) * 10 ** ((i % 9) - 3),
    );
    const { wrong, written } = compare(data);
    expect(wrong).toEqual([]);
    expect(written).toBeGreaterThan(99_000);
  });

  test('what stands at a border: powers of ten and two, halves of the last digit, and their neighbours', () => {
    const around: number[] = [0, -0, NaN, Infinity, -Infinity, 8388607.5, 1048576.125, 1048576.375];
    for (let exponent = -46; exponent < 39; exponent++) around.push(Number(`1e${exponent}`), 2 ** exponent);
    const data = Float32Array.from(around.flatMap((value) => [value, -value]));
    const bits = new Uint32Array(data.buffer);
    const near = Uint32Array.from([...bits].flatMap((each) => [each - 1, each, each + 1]));
    const { wrong, written } = compare(new Float32Array(near.buffer));
    expect(wrong).toEqual([]);
    expect(written).toBeGreaterThan(100);
  });

  test('a file is longer than the writer began with, and row numbers may have any length', () => {
    const data = Float32Array.from({ length: 3000 }, (_, i) => i / 7);
    const tensors = new Map([['ö', { dtype: 'F32', shape: [1000, 3], data } as const]]);
    const start = 2 ** 31 - 500;
    const spelled = textOf(floats(data), String);
    const cells = (row: number) => [0, 1, 2].map((i) => spelled(3 * row + i)).join(',');
    const rows = Array.from({ length: 1000 }, (_, row) => row);
    expect(decode(csv.encode({ start, rows: 1000, tensors }))).toBe(
      ['row,ö.0,ö.1,ö.2', ...rows.map((row) => `${start + row},${cells(row)}`), ''].join('\r\n'),
    );
    expect(decode(jsonl.encode({ start, rows: 1000, tensors }))).toBe(
      rows.map((row) => `{"row":${start + row},"ö":[${cells(row)}]}\n`).join(''),
    );
  });
});

test('what is no number, integers, booleans and scalars', () => {
  const tensors = new Map<string, TensorValue>([
    ['p', { dtype: 'F32', shape: [2, 1, 2], data: Float32Array.of(NaN, -0, -Infinity, 1e-30) }],
    ['id', { dtype: 'I64', shape: [2], data: BigInt64Array.of(9007199254740993n, -1n) }],
    ['is', { dtype: 'BOOL', shape: [2], data: Uint8Array.of(0, 1) }],
    ['none', { dtype: 'F64', shape: [2, 0], data: new Float64Array() }],
  ]);
  expect(decode(csv.encode({ start: 0, rows: 2, tensors }))).toBe(
    'row,p.0.0,p.0.1,id,is\r\n0,NaN,0,9007199254740993,false\r\n1,-Infinity,1e-30,-1,true\r\n',
  );
  expect(decode(jsonl.encode({ start: 0, rows: 2, tensors }))).toBe(
    '{"row":0,"p":[[null,0]],"id":9007199254740993,"is":false,"none":[]}\n' +
      '{"row":1,"p":[[null,1e-30]],"id":-1,"is":true,"none":[]}\n',
  );
});
