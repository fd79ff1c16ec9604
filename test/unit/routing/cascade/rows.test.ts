import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LONGEST_LIST, readRows, writeRows } from '../../../../core/routing/cascade/row-list.ts';
import { mergedAnswer, requestOfRows, rowsOfAnswer } from '../../../../core/routing/cascade/split.ts';

describe('a list of rows', () => {
  it('is short', () => {
    expect(writeRows([], 4)).toBe('none');
    expect(writeRows([0, 1, 2, 3], 4)).toBe('all');
    expect(writeRows([0, 1, 2, 7, 9, 10], 16)).toBe('0-2,7,9-10');
    const every = Array.from({ length: 4_000 }, (_, i) => 2 * i);
    expect(writeRows(every, 8_000)).toBe('all');
  });

  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(300), { maxLength: 60 }), (some) => {
        const hard = some.toSorted((a, b) => a - b);
        const text = writeRows(hard, 1_000);
        expect(text.length).toBeLessThanOrEqual(LONGEST_LIST);
        expect(readRows(text)).toEqual(hard);
      }),
    );
    expect(readRows('all')).toBe('all');
  });

  it.each(['', '1,', '3-1', '2,1', '1,1', '0-2,2', 'x', '-1', '1-2-3', '99999999'])(
    'is no list of ours: %j',
    (text) => expect(readRows(text)).toBeUndefined(),
  );
});

const request = (shape: number[], data: unknown[], more: object = {}) => ({
  inputs: [{ name: 'x', shape, datatype: 'FP32', data, ...more }],
});
const answer = (rows: number, data: number[], more: object = {}) => ({
  model_name: 'm',
  outputs: [{ name: 'p', datatype: 'FP32', shape: [rows, data.length / rows], data, ...more }],
});

describe('the hard rows of a request', () => {
  it('are taken from flat and from nested data, and nothing else changes', () => {
    const more = { id: 'a', outputs: [{ name: 'p' }], parameters: { k: 1 } };
    expect(requestOfRows({ ...more, ...request([3, 2], [1, 2, 3, 4, 5, 6]) }, 3, [0, 2])).toEqual({
      ...more,
      ...request([2, 2], [1, 2, 5, 6]),
    });
    const nested = request([3, 1, 2], [[[1, 2]], [[3, 4]], [[5, 6]]]);
    expect(requestOfRows(nested, 3, [1])).toEqual(request([1, 1, 2], [[[3, 4]]]));
    expect(requestOfRows(request([3], [7, 8, 9]), 3, [2])).toEqual(request([1], [9]));
  });

  it('cannot be taken where an input is not one row after the other', () => {
    const two = { inputs: [...request([2, 1], [1, 2]).inputs, ...request([1], [5]).inputs] };
    for (const other of [
      two,
      request([2, 2], [1, 2, 3]),
      request([3, 1], [1, 2, 3]),
      { inputs: [] },
      [],
      null,
      'x',
    ])
      expect(requestOfRows(other, 2, [0])).toBeUndefined();
  });
});

describe('two answers', () => {
  it('are one: the second’s rows in their places', () => {
    const first = answer(3, [1, 2, 3, 4, 5, 6]);
    expect(mergedAnswer(first, answer(2, [10, 20, 50, 60]), [0, 2])).toEqual(
      answer(3, [10, 20, 3, 4, 50, 60]),
    );
    expect(first).toEqual(answer(3, [1, 2, 3, 4, 5, 6]));
  });

  it.each([
    ['rows', answer(3, [1, 2, 3, 4, 5, 6])],
    ['width', answer(1, [1, 2, 3])],
    ['type', answer(1, [1, 2], { datatype: 'FP64' })],
    ['name', answer(1, [1, 2], { name: 'q' })],
    ['rank', answer(1, [1, 2], { shape: [1, 2, 1] })],
    ['nothing', { error: 'x' }],
  ])('do not fit together: %s', (_, second) => {
    expect(mergedAnswer(answer(2, [1, 2, 3, 4]), second, [0])).toBeUndefined();
  });

  it('of a request and its rows put together are those of the whole', () => {
    const rows = fc.integer({ min: 1, max: 8 });
    fc.assert(
      fc.property(
        rows,
        fc.integer({ min: 1, max: 4 }),
        fc.infiniteStream(fc.boolean()),
        (count, width, picks) => {
          const hard = Array.from({ length: count }, (_, row) => row).filter(() => picks.next().value);
          fc.pre(hard.length > 0);
          const data = Array.from({ length: count * width }, (_, i) => i);
          const asked = requestOfRows(request([count, width], data), count, hard) as ReturnType<
            typeof request
          >;
          const negated = (asked.inputs[0]!.data as number[]).map((x) => -x - 1);
          const merged = mergedAnswer(answer(count, data), answer(hard.length, negated), hard);
          const expected = data.map((x) => (hard.includes(Math.floor(x / width)) ? -x - 1 : x));
          expect(merged).toEqual(answer(count, expected));
        },
      ),
    );
  });

  it('say how many rows they have', () => {
    expect(rowsOfAnswer(answer(3, [1, 2, 3]))).toBe(3);
    expect(
      rowsOfAnswer({ outputs: [...answer(2, [1, 2]).outputs, ...answer(1, [1]).outputs] }),
    ).toBeUndefined();
    expect(rowsOfAnswer({ error: 'x' })).toBeUndefined();
  });
});
