import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mergePairs } from '../../../core/language/merge-pairs.ts';
import { parseTokenizer } from '../../../core/language/tokenizer.ts';
import { tokenizerFile } from './tokenizer-file.ts';

const WORDS: readonly (readonly [string, number])[] = [
  [' ', -100],
  ['a', -101],
  ['b', -102],
  ['c', -103],
  ['é', -104],
  ['ab', -1],
  ['bc', -2],
  [' a', -3],
  ['abc', -4],
  [' ab', -5],
];
const id = (piece: string) => 259 + WORDS.findIndex(([word]) => word === piece);
const byte = (value: number) => 3 + value;
const tokenizer = parseTokenizer(tokenizerFile(WORDS));

describe('encoding', () => {
  test('begins with begin of text, and a text with a space', () => {
    expect([...tokenizer.encode('')]).toEqual([1]);
    expect([...tokenizer.encode('c')]).toEqual([1, id(' '), id('c')]);
  });
  test('merges the pair of the best score first, not the first pair', () => {
    // " abc": "ab" (-1) is merged before " a" (-3), then " ab" (-5) loses to "abc" (-4).
    expect([...tokenizer.encode('abc')]).toEqual([1, id(' '), id('abc')]);
    expect([...tokenizer.encode('ab')]).toEqual([1, id(' ab')]);
  });
  test('falls back to the bytes of a character that is no token', () => {
    expect([...tokenizer.encode('é')]).toEqual([1, id(' '), id('é')]);
    expect([...tokenizer.encode('ü\n')]).toEqual([1, id(' '), byte(0xc3), byte(0xbc), byte(0x0a)]);
    expect([...tokenizer.encode('\ud800')]).toEqual([1, id(' '), byte(0xef), byte(0xbf), byte(0xbd)]);
  });
  test('of a file whose byte tokens are characters is the same', () => {
    const older = parseTokenizer(tokenizerFile(WORDS, (value) => String.fromCharCode(value)));
    // In that file token 3 + 0xe9 is spelled "é", as token `id('é')` is; and 0x61 "a".
    for (const text of ['abcé', 'aü b\u0001', 'é\u00c3']) {
      expect(older.encode(text)).toEqual(tokenizer.encode(text));
      expect(older.decode(older.encode(text))).toBe(text);
    }
  });
});

describe('decoding', () => {
  test('undoes encoding', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' ', 'é', 'ü', '🐳', '\n', '\0') });
    fc.assert(fc.property(text, (value) => tokenizer.decode(tokenizer.encode(value)) === value));
  });
  test('keeps a space that is not the one encoding added', () => {
    expect(tokenizer.decode([id(' a'), id(' a')])).toBe(' a a');
    expect(tokenizer.decode([1, id(' a'), id(' a'), 2])).toBe('a a');
  });
  test('puts characters together from their bytes', () => {
    expect(tokenizer.decode([0xf0, 0x9f, 0x90, 0xb3].map(byte))).toBe('🐳');
    expect(tokenizer.decode([byte(0xf0), id('a')])).toBe('\ufffda');
  });
  test('refuses what is no token', () => {
    expect(() => tokenizer.decode([269])).toThrow('269 is no token: they run from 0 to 268');
  });
});

describe('a tokenizer file', () => {
  const file = tokenizerFile(WORDS);
  test.each([
    ['nothing', new Uint8Array(0), /header needs 4 bytes/],
    ['too few tokens', tokenizerFile([]).subarray(0, 44), /fewer than the 259/],
    ['the end within a token', file.subarray(0, file.length - 1), /token 268 has 3 bytes, of which 2 are/],
    ['the end within a score', file.subarray(0, file.length - 7), /ends within token 268/],
    ['other byte tokens', tokenizerFile(WORDS, (value) => `#${value}`), /token 3 is not byte 0/],
  ])('is refused: %s', (_, bytes, message) => {
    expect(() => parseTokenizer(bytes)).toThrow(message);
  });
});

/** llama2.c's own loop: the best of all pairs, the leftmost of equals, again and again. */
function mergeOneByOne(
  tokens: readonly number[],
  merged: (left: number, right: number) => number | undefined,
  ranks: Uint32Array,
): number[] {
  const left = [...tokens];
  for (;;) {
    let best: { at: number; id: number } | undefined;
    for (let at = 0; at + 1 < left.length; at++) {
      const id = merged(left[at]!, left[at + 1]!);
      if (id !== undefined && (best === undefined || ranks[id]! < ranks[best.id]!)) best = { at, id };
    }
    if (best === undefined) return left;
    left.splice(best.at, 2, best.id);
  }
}

test('merges by heap are the merges of looking through all pairs', () => {
  const ids = 12;
  const table = fc.array(fc.option(fc.nat(ids - 1), { nil: undefined, freq: 2 }), {
    minLength: ids * ids,
    maxLength: ids * ids,
  });
  // Few ranks, so that many are equal.
  const ranks = fc.array(fc.nat(4), { minLength: ids, maxLength: ids });
  fc.assert(
    fc.property(fc.array(fc.nat(ids - 1), { maxLength: 40 }), table, ranks, (tokens, unions, order) => {
      const merged = (a: number, b: number) => unions[a * ids + b];
      const rank = Uint32Array.from(order);
      expect([...mergePairs(Uint32Array.from(tokens), merged, rank)]).toEqual(
        mergeOneByOne(tokens, merged, rank),
      );
    }),
  );
});
