import { describe, expect, test } from 'vitest';
import { textRows } from '../../../core/language/rows.ts';

const counting = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('rows of a text', () => {
  test('follow one another; each target is the next token', () => {
    const { train, test } = textRows(counting(20), { length: 4, vocabulary: 100, testShare: 0.5 });
    expect(train.rows).toBe(2);
    expect([...train.tensors['tokens']!.data]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect([...train.tensors['targets']!.data]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect([...test.tensors['tokens']!.data]).toEqual([10, 11, 12, 13, 14, 15, 16, 17]);
    expect([...test.tensors['targets']!.data]).toEqual([11, 12, 13, 14, 15, 16, 17, 18]);
  });
  test('share no token between the splits, wherever the cut falls', () => {
    for (const testShare of [0.1, 0.25, 0.31, 0.5, 0.77]) {
      const { train, test } = textRows(counting(97), { length: 3, vocabulary: 100, testShare });
      const all = (split: typeof train) => [
        ...split.tensors['tokens']!.data,
        ...split.tensors['targets']!.data,
      ];
      expect(Math.max(...all(train).map(Number))).toBeLessThan(Math.min(...all(test).map(Number)));
    }
  });
  test('need a token more than they are long', () => {
    const options = { length: 4, vocabulary: 100, testShare: 0.5 };
    expect(textRows(counting(10), options).test.rows).toBe(1);
    expect(() => textRows(counting(9), options)).toThrow(
      'the test split has 4 tokens: a row of 4 and its targets need 5',
    );
  });
  test.each([
    [256, 'U8'],
    [257, 'U16'],
    [65_536, 'U16'],
    [65_537, 'I32'],
  ])('of a vocabulary of %i are stored as %s', (vocabulary, dtype) => {
    const { train } = textRows([vocabulary - 1, 0, 1, 2], { length: 1, vocabulary, testShare: 0.5 });
    expect(train.tensors['tokens']!.spec).toEqual({ dtype, shape: [1] });
    expect([...train.tensors['tokens']!.data]).toEqual([vocabulary - 1]);
  });
});
