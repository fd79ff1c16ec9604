/** Wrong rows, format by format: refused with their places, or left out and counted. */
import { describe, expect, test } from 'vitest';
import type { DataFile } from '../../../core/datasets/data-file.ts';
import { importSource } from '../../../core/datasets/import.ts';
import { readRows } from '../../../core/datasets/read.ts';
import type { DatasetSource } from '../../../core/datasets/source.ts';
import { imageSource } from '../../../core/datasets/sources/images.ts';
import { collect } from '../../../core/datasets/sources/memory.ts';
import { jsonlTable } from '../../../core/datasets/sources/jsonl.ts';
import { parquetTable } from '../../../core/datasets/sources/parquet.ts';
import { safetensorsRows } from '../../../core/datasets/sources/safetensors.ts';
import { splitFiles } from '../../../core/datasets/sources/split-files.ts';
import { tableSource } from '../../../core/datasets/sources/table.ts';
import { tensorSource } from '../../../core/datasets/sources/tensors.ts';
import { TABLE_DEFAULTS, type TableOptions } from '../../../core/datasets/table/options.ts';
import { encodeSafetensors } from '../../../core/tensors/safetensors.ts';
import { csvTable } from '../../../infra/cli/datasets/csv.ts';
import { imageDecoder } from '../../../infra/cli/datasets/decode-image.ts';
import { memoryStore } from '../memory-store.ts';
import { memoryFile } from './data-file.ts';
import { fixture } from './formats.ts';

const IMPORT = { name: 'd', shards: 1, heldOut: { share: 0, seed: 0 }, now: () => new Date(0) };

const csv = async (text: string, options: Partial<TableOptions> = {}) =>
  tableSource(await csvTable(splitFiles([memoryFile('a.csv', text)]), { delimiter: ',' }), {
    ...TABLE_DEFAULTS,
    ...options,
  });
const jsonl = async (lines: readonly string[], options: Partial<TableOptions> = {}) =>
  tableSource(await jsonlTable(splitFiles([memoryFile('a.jsonl', lines.join('\n'))]), options.features), {
    ...TABLE_DEFAULTS,
    ...options,
  });

/** @returns places and reasons of the rows that were left out, and how many stayed */
async function leftOut(source: DatasetSource) {
  const store = memoryStore();
  await expect(importSource(store, { ...IMPORT, source })).rejects.toMatchObject({
    code: 'invalid',
    field: 'rows',
  });
  expect(store.calls.put).toBe(0);
  const manifest = await importSource(store, { ...IMPORT, source, maxBadRows: Infinity });
  const lines = manifest.leftOut!.first.map(({ place, reason }) => `${place}: ${reason}`);
  expect(manifest.leftOut!.count).toBe(lines.length);
  return { lines, rows: manifest.splits['train']!.rows, manifest, store };
}

describe('a row that cannot be read is named', () => {
  test('CSV', async () => {
    const lines = ['a,kind', '1,0', 'red,1', '2', '3,0,9', '', '4,1.5', ',1', '5,1', 'Infinity,1', '1e39,0'];
    const { lines: found, rows } = await leftOut(await csv(lines.join('\n'), { target: 'kind' }));
    expect(found).toEqual([
      'a.csv line 3: column a: "red" is no number',
      'a.csv line 4: 1 cells where the header has 2',
      'a.csv line 5: 3 cells where the header has 2',
      'a.csv line 7: column kind: 1.5 is no class id: those are whole numbers from 0 to 1000000; of a regression say --target-kind value',
      'a.csv line 8: column a: there is no value',
      'a.csv line 10: column a: "Infinity" is no number',
      'a.csv line 11: column a: "1e39" is too large for F32',
    ]);
    expect(rows).toBe(2);
  });

  test('JSON Lines', async () => {
    const lines = ['{"a":1,"t":[1,2]}', '', '{"a":1', '[1]', '{"a":"x","t":[1,2]}', '{"a":1,"t":[1]}'];
    const late = ['{"a":2,"t":[1,null]}', '{"a":{},"t":[0,0]}', '{"t":[0,0]}', '{"a":3,"t":[5,6]}'];
    const { lines: found, rows } = await leftOut(await jsonl([...lines, ...late]));
    expect(found.map((line) => line.replace(/not JSON: .*/u, 'not JSON'))).toEqual([
      'a.jsonl line 3: it is not JSON',
      'a.jsonl line 4: it is no JSON object',
      'a.jsonl line 5: column a: "x" is no number',
      'a.jsonl line 6: column t: an array of 1 where those before have 2',
      'a.jsonl line 7: column t: there is no value',
      'a.jsonl line 8: column a: {} is no number',
      'a.jsonl line 9: column a: there is no value',
    ]);
    expect(rows).toBe(2);
  });

  test('JSON Lines, a field that comes late', async () => {
    const many = Array.from({ length: 1000 }, () => '{"a":1}');
    const { lines: found } = await leftOut(await jsonl([...many, '{"a":1,"b":2}']));
    expect(found).toEqual(["a.jsonl line 1001: field b is none of the first lines': a"]);
    const chosen = await jsonl([...many, '{"a":1,"b":2}'], { features: ['a'] });
    expect((await importSource(memoryStore(), { ...IMPORT, source: chosen })).splits['train']!.rows).toBe(
      1001,
    );
  });

  test('Parquet: nulls', async () => {
    const table = await parquetTable(splitFiles([await fixture('trees.snappy.parquet')]), ['count', 'kind']);
    const source = await tableSource(table, { ...TABLE_DEFAULTS, features: ['count'], target: 'kind' });
    const { lines: found, rows } = await leftOut(source);
    expect(found[0]).toBe('trees.snappy.parquet row 7: column count: there is no value');
    expect([found.length, rows]).toEqual([5, 245]);
  });

  test('tensors: numbers that are not finite, class ids that are none', async () => {
    const bytes = encodeSafetensors({
      x: { dtype: 'F32', shape: [4, 2], data: Float32Array.of(1, 2, NaN, 4, 5, 6, 7, -Infinity) },
      y: { dtype: 'I64', shape: [4], data: BigInt64Array.of(0n, 1n, -1n, 2n) },
    });
    const tensors = await safetensorsRows(memoryFile('a.safetensors', bytes));
    const {
      lines: found,
      manifest,
      store,
    } = await leftOut(tensorSource([{ tensors }], { target: 'y', divisors: {} }));
    expect(found).toEqual([
      'a.safetensors row 1: x: NaN is no finite number',
      'a.safetensors row 2: y: -1 is no class id: those are whole numbers from 0 to 1000000',
      'a.safetensors row 3: x: -Infinity is no finite number',
    ]);
    const { tensors: kept } = await readRows(store, manifest, 'train', { start: 0, end: 1 });
    expect(kept['x']!.data).toEqual(Float32Array.of(1, 2));
    expect(kept['y']!.data).toEqual(BigInt64Array.of(0n));
  });

  test('images', async () => {
    const photo = await fixture('shapes/train/ring/photo.jpg');
    const rgb = await fixture('shapes/train/disc/rgb.png');
    const bytes = await photo.read(0, photo.size);
    const png = await rgb.read(0, rgb.size);
    const cut = png.slice(0, 40);
    png[50]! ^= 1;
    const files: DataFile[] = [
      { ...photo, name: 'a/photo.jpg' },
      memoryFile('a/cut.jpg', bytes.subarray(0, bytes.length - 40)),
      memoryFile('b/broken.png', png),
      memoryFile('b/cut.png', cut),
      memoryFile('b/notes.txt', 'of pictures'),
      memoryFile('b/words.png', 'a picture'),
      memoryFile('b/empty.jpg', ''),
    ];
    const source = await imageSource(
      files.map((file) => ({ file, label: file.name.slice(0, 1) })),
      { channels: 1, seed: 0, decode: imageDecoder() },
    );
    const { lines: found, rows } = await leftOut(source);
    expect(found.sort()).toEqual([
      'a/cut.jpg: the JPEG is cut off',
      expect.stringMatching(/^b\/broken.png: not a PNG that can be read: /),
      'b/cut.png: not a PNG that can be read: it is cut off',
      'b/empty.jpg: neither PNG nor JPEG',
      'b/notes.txt: neither PNG nor JPEG',
      'b/words.png: neither PNG nor JPEG',
    ]);
    expect(rows).toBe(1);
  });
});

describe('wrong rows', () => {
  const some = (wrong: number) =>
    csv(['a', ...Array.from({ length: 20 }, (_, i) => (i < wrong ? 'x' : i)), '1'].join('\n'));

  test('of another reason are seen behind many of one', async () => {
    const lines: string[] = Array.from({ length: 100 }, (_, i) => (i === 12 ? '{"a":1,"q":2}' : '{"a":1}'));
    lines[14] = '{';
    const refused = importSource(memoryStore(), { ...IMPORT, source: await jsonl(lines) });
    await expect(refused).rejects.toThrow(/^99 rows cannot be read; nothing/);
    await expect(refused).rejects.toThrow(
      /\n {2}a.jsonl line 11 and 87 more: column q: there is no value\n {2}a.jsonl line 15: it is not JSON/,
    );
  });

  test('are named where too few are left without them', async () => {
    const few = { ...IMPORT, source: await csv('a\nx\n1'), maxBadRows: 9, heldOut: { share: 0.5, seed: 0 } };
    await expect(importSource(memoryStore(), few)).rejects.toThrow(
      'of good rows at least 2 are needed, and there are 1; 1 was left out:\n  a.csv line 2: column a: "x" is no number',
    );
    const none = { ...IMPORT, source: await csv('a,b\n1\n2'), maxBadRows: 9 };
    await expect(importSource(memoryStore(), none)).rejects.toThrow(
      'there are no rows in the files; 2 were left out:\n  a.csv line 2: 1 cells where the header has 2\n  a.csv line 3',
    );
  });

  test('are allowed up to a number, and listed up to ten', async () => {
    const refused = importSource(memoryStore(), { ...IMPORT, source: await some(12), maxBadRows: 11 });
    await expect(refused).rejects.toThrow(
      /^12 rows cannot be read, more than the 11 .*nothing was imported:\n/,
    );
    await expect(refused).rejects.toThrow(
      /line 11: column a: "x" is no number\n {2}a.csv line 12 and 1 more: column a: "x" is no number\n.*--max-bad-rows/,
    );
    const { leftOut: left, splits } = await importSource(memoryStore(), {
      ...IMPORT,
      source: await some(12),
      maxBadRows: 12,
    });
    expect(left).toMatchObject({ count: 12 });
    expect(left!.first).toHaveLength(10);
    expect(splits['train']!.rows).toBe(9);
  });

  test('without an end are not read to it', async () => {
    let read = 0;
    const lines = ['a', '1', ...Array.from({ length: 400_000 }, () => 'no number at all')];
    const source = await csv(lines.join('\n'));
    const importing = importSource(memoryStore(), {
      ...IMPORT,
      source,
      onProgress: ({ done }) => (read = done),
    });
    await expect(importing).rejects.toThrow(/^1000 or more rows cannot be read/);
    expect(read).toBeLessThan(source.bytes / 2);
  });

  test('that leave none are refused', async () => {
    const source = await csv('a,b\n1,2\n1\n', { features: ['a'] });
    await expect(
      importSource(memoryStore(), { ...IMPORT, source: await jsonl(['{"a":"x"}', '{']) }),
    ).rejects.toThrow();
    expect(
      (await importSource(memoryStore(), { ...IMPORT, source, maxBadRows: 1 })).splits['train']!.rows,
    ).toBe(1);
  });
});

describe('files that are none of their format are refused by name', () => {
  const npz = async () => (await import('../../../core/datasets/sources/numpy.ts')).numpyArrays;
  test.each([
    ['a CSV without a header', () => csv(''), /a\.csv: it is empty/],
    [
      'a CSV with a quote that does not end',
      async () => collect(await csv('a\n1\n"2\n')),
      /a\.csv: Quote Not Closed/,
    ],
    ['a CSV with a column twice', () => csv('a,a\n1,2\n'), /a\.csv: two columns are called a/],
    ['a JSON array', () => jsonl(['[1]']), /a\.jsonl: its first lines are no JSON objects/],
    [
      'Parquet that is none',
      () => parquetTable(splitFiles([memoryFile('a.parquet', 'PAR1 not at all PAR?')])),
      /a\.parquet: .*parquet/,
    ],
    ['a zip that is none', async () => (await npz())(memoryFile('a.npz', 'PK')), /a\.npz: not a ZIP archive/],
    [
      'an npy that is none',
      async () => (await (await npz())(memoryFile('a.npy', 'NUMPY and so on')))[0]!.rows(),
      /a\.npy: not a \.npy file/,
    ],
    [
      'text in an npz',
      async () => {
        const arrays = await (await npz())(await fixture('deflated.npz'));
        return arrays.find(({ name }) => name === 'words')!.rows();
      },
      /deflated\.npz words: type <U1; allowed are f2, /,
    ],
    [
      'Fortran order',
      async () => (await (await npz())(await fixture('fortran.npy')))[0]!.rows(),
      /fortran\.npy: its order is Fortran: save numpy\.ascontiguousarray/,
    ],
    [
      'safetensors that are cut off',
      () => safetensorsRows(memoryFile('a.safetensors', Uint8Array.of(200, 0, 0, 0, 0, 0, 0, 0, 1))),
      /a\.safetensors: .*truncated/,
    ],
  ])('%s', async (_name, open, message) => {
    await expect(open()).rejects.toThrow(message);
  });
});
