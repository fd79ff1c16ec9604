import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { countItems, cutItems, itemsIn, MAX_LINE_BYTES } from '../../../core/fan-out/items.ts';
import { runsOf } from '../../../core/fan-out/ranges.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const refusal = (message: RegExp) =>
  expect.objectContaining({
    code: 'unprocessable',
    field: 'items.blob',
    message: expect.stringMatching(message),
  });
const thrownBy = (work: () => unknown): unknown => {
  try {
    work();
  } catch (thrown) {
    return thrown;
  }
  throw new Error('nothing was thrown');
};

const MIXED = bytes('\uFEFF{"a":1}\n\n  \t\r\n"é"\r\n[3]\n\nnull\n5');

test('items are lines that are not empty; a byte order mark and CRLF are not of them', () => {
  expect(countItems(MIXED)).toBe(5);
  expect(itemsIn(MIXED)).toEqual([{ a: 1 }, 'é', [3], null, 5]);
  expect(itemsIn(MIXED, { start: 1, end: 3 })).toEqual(['é', [3]]);
});

test.each([1, 2, 3, 5, 9])('parts of %i items lie in bytes of their own, which have them all', (size) => {
  const parts = runsOf(5, size);
  const cut = cutItems(MIXED, parts);
  expect(cut.map(({ start, end }) => itemsIn(MIXED.subarray(start, end)))).toEqual(
    parts.map((part) => itemsIn(MIXED, part)),
  );
});

describe('what is refused', () => {
  test.each<[string, Uint8Array, RegExp]>([
    ['no JSON', bytes('1\n\n{"a":\n'), /^items.blob: line 3 is not JSON$/],
    ['no items', bytes('\n \r\n'), /it has no items/],
    [
      'a byte that is never UTF-8',
      Uint8Array.of(0x31, 10, 0x22, 0xc3, 0xa9, 0xff, 0x22),
      /line 2 .* byte 4$/,
    ],
    ['a character that is cut', Uint8Array.of(0x22, 0xc3, 0x22), /line 1 .* byte 3$/],
    ['one that the line ends in', Uint8Array.of(0x22, 0xe2, 0x82), /line 1 .* byte 3$/],
    [
      'a line that is too long',
      bytes(`1\n"${'x'.repeat(MAX_LINE_BYTES)}"`),
      /line 2 has 8388610 bytes; at most 8388608/,
    ],
  ])('%s', (_, blob, message) => {
    expect(thrownBy(() => countItems(blob))).toEqual(refusal(message));
  });
});

/** Its values, each in a list of its own, take about fifteen times the bytes. */
test('counting takes no memory for the values', async () => {
  const blob = bytes('[0]\n'.repeat(1_500_000));
  const worker = new Worker(new URL('count-items.ts', import.meta.url), {
    workerData: blob,
    resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 16 },
  });
  const [count] = (await once(worker, 'message')) as [number];
  expect(count).toBe(1_500_000);
});
