/** A text in pieces has the tokens of the whole, and its rows are those of the text in memory. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collect } from '../../../core/datasets/sources/memory.ts';
import { textSource } from '../../../core/datasets/sources/text.ts';
import { encodeStream } from '../../../core/language/encode-stream.ts';
import { textRows } from '../../../core/language/rows.ts';
import { parseTokenizer } from '../../../core/language/tokenizer.ts';
import { memoryFile } from '../datasets/data-file.ts';
import { tokenizerFile } from './tokenizer-file.ts';

/** Tokens that reach over spaces and line ends, so that not every place is a border. */
const TOKENIZER = tokenizerFile([
  [' ', -9],
  ['a', -9],
  ['b', -9],
  ['\n', -9],
  ['é', -9],
  ['aa', -1],
  ['aab', -2],
  ['b a', -4],
  ['a ', -3],
  ['éa', -2],
  ['\nb', -5],
  [' a', -6],
]);
const tokenizer = parseTokenizer(TOKENIZER);
const text = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '\n', 'é', 'ß', '🐋'), maxLength: 60 });

async function* piecesOf(whole: string, size: number): AsyncGenerator<string> {
  for (let at = 0; at < whole.length; at += size) yield whole.slice(at, at + size);
}

describe('encodeStream', () => {
  test('at every border the parts have the tokens of the whole', () => {
    fc.assert(
      fc.property(text, (whole) => {
        const characters = Array.from(whole);
        for (let at = 1; at < characters.length; at++) {
          if (!tokenizer.isBorder(characters[at - 1]!, characters[at]!)) continue;
          const parts = [characters.slice(0, at).join(''), characters.slice(at).join('')] as const;
          const tokens = [...tokenizer.encode(parts[0]), ...tokenizer.encodeMore(parts[1])];
          expect(tokens).toEqual([...tokenizer.encode(whole)]);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('a long text in pieces has the tokens of the whole', async () => {
    const words = ['aab', 'b a', '🐋', 'é\nb', 'aaaa ', 'ß'];
    const whole = Array.from({ length: 70_000 }, (_, i) => words[(i * i + (i >> 3)) % words.length]).join('');
    const tokens: number[] = [];
    let parts = 0;
    for await (const part of encodeStream(tokenizer, piecesOf(whole, 1000))) {
      tokens.push(...part);
      parts += 1;
    }
    expect(parts).toBeGreaterThan(2);
    expect(tokens).toEqual([...tokenizer.encode(whole)]);
  });

  test('a text that has no border is encoded whole', async () => {
    const whole = 'a'.repeat(150_000);
    const parts = [];
    for await (const part of encodeStream(tokenizer, piecesOf(whole, 10_000))) parts.push(part);
    expect(parts).toHaveLength(1);
    expect(parts[0]).toEqual(tokenizer.encode(whole));
  });
});

describe('a text file', () => {
  const rows = { length: 3, testShare: 0.3 };
  const TEXT = 'aaé aab 🐋 '.repeat(40);

  test.each([1, 2, 7, 64])('has the rows of the text in memory, by tokens in rows of %i', async (length) => {
    const whole = tokenizer.encode(TEXT);
    const file = memoryFile('a.txt', `\uFEFF${TEXT}`);
    const source = await textSource(file, { tokenizer, length, testShare: 0.4 });
    const expected = textRows(whole, { length, vocabulary: tokenizer.vocabulary, testShare: 0.4 });
    expect(await collect(source)).toEqual(expected);
  });

  test('has the rows of its bytes', async () => {
    const bytes = new TextEncoder().encode(TEXT);
    const expected = textRows(bytes, { ...rows, vocabulary: 256 });
    expect(await collect(await textSource(memoryFile('a.txt', TEXT), rows))).toEqual(expected);
  });

  test('longer than what is read at once has the rows of the text in memory', async () => {
    const long = TEXT.repeat(2200);
    const expected = textRows(new TextEncoder().encode(long), {
      length: 100,
      testShare: 0.3,
      vocabulary: 256,
    });
    const found = await collect(await textSource(memoryFile('a.txt', long), { length: 100, testShare: 0.3 }));
    expect(found).toEqual(expected);
  });

  test('that is not UTF-8, or too short, is refused', async () => {
    const latin = memoryFile('latin1.txt', Uint8Array.of(0x61, 0xe9, 0x61));
    await expect(textSource(latin, { ...rows, tokenizer })).rejects.toThrow('latin1.txt: it is not UTF-8');
    // Where bytes are the tokens it is seen as they are read.
    const long = memoryFile(
      'latin1.txt',
      Uint8Array.from({ length: 64 }, (_, i) => (i === 40 ? 0xff : 97)),
    );
    await expect(textSource(long, rows).then(collect)).rejects.toThrow('latin1.txt: it is not UTF-8');
    await expect(textSource(memoryFile('a.txt', 'ab'), rows)).rejects.toThrow(/the train split has 1 tokens/);
  });
});
