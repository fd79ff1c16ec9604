import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { datasetShardKey } from '../../../core/contracts/keys.ts';
import { columns, concatenate, slice } from '../../../core/datasets/columns.ts';
import { parseIdx } from '../../../core/datasets/idx.ts';
import { importDataset } from '../../../core/datasets/import.ts';
import { readManifest, readRows } from '../../../core/datasets/read.ts';
import { readCsv } from '../../../infra/cli/datasets/csv.ts';
import { memoryStore } from '../memory-store.ts';

const now = () => new Date('2026-01-02T03:04:05Z');
const rows = (count: number, from = 0) =>
  columns({
    x: {
      spec: { dtype: 'F32', shape: [2] },
      data: Float32Array.from({ length: count * 2 }, (_, i) => from + i),
    },
    y: {
      spec: { dtype: 'I64', shape: [] },
      data: BigInt64Array.from({ length: count }, (_, i) => BigInt(i)),
    },
  });

describe('IDX', () => {
  test('reads bytes, and turns wider elements round', () => {
    expect(parseIdx(Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 1, 7, 9))).toEqual({
      dtype: 'U8',
      shape: [2, 1],
      data: Uint8Array.of(7, 9),
    });
    expect(parseIdx(Uint8Array.of(0, 0, 0x0b, 1, 0, 0, 0, 2, 1, 2, 0xff, 0xfe))).toMatchObject({
      data: Int16Array.of(0x0102, -2),
    });
  });
  test.each([
    ['nothing', [], /at least 4/],
    ['another format', [1, 2, 3, 4], /two zero bytes/],
    ['an unknown type', [0, 0, 5, 1], /type code 0x5/],
    ['rank 0', [0, 0, 8, 0], /rank 0/],
    ['a cut header', [0, 0, 8, 2, 0, 0, 0, 1], /needs 12 bytes/],
    ['a cut body', [0, 0, 8, 1, 0, 0, 0, 3, 1], /needs 11 bytes, there are 9/],
  ])('refuses %s', (_name, bytes, message) => {
    expect(() => parseIdx(Uint8Array.from(bytes))).toThrow(message);
  });
});

describe('datasets', () => {
  test('come back row by row, over shard borders', async () => {
    const store = memoryStore();
    const manifest = await importDataset(store, { name: 'd', splits: { train: rows(10) }, shards: 3, now });
    expect(manifest.splits['train']?.shards).toHaveLength(3);
    const read = await readRows(store, manifest, 'train', { start: 2, end: 8 });
    expect(read).toEqual(slice(rows(10), 2, 8));
  });

  test('imported again are the same version, changed the next', async () => {
    const store = memoryStore();
    const of = (count: number) =>
      importDataset(store, { name: 'd', splits: { train: rows(count) }, shards: 2, now });
    expect((await of(4)).version).toBe(1);
    expect((await of(4)).version).toBe(1);
    expect((await of(5)).version).toBe(2);
    expect((await readManifest(store, 'd')).version).toBe(2);
    await expect(readManifest(store, 'd', 3)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('altered bytes are refused', async () => {
    const store = memoryStore();
    const manifest = await importDataset(store, { name: 'd', splits: { train: rows(4) }, shards: 1, now });
    store.tamper(datasetShardKey('d', 1, 'train', 0), Uint8Array.of(1));
    await expect(readRows(store, manifest, 'train', { start: 0, end: 4 })).rejects.toThrow(/corrupt/);
  });

  test('columns that disagree are refused by name', () => {
    const x = { spec: { dtype: 'F32' as const, shape: [2] }, data: new Float32Array(4) };
    const y = { spec: { dtype: 'U8' as const, shape: [] }, data: new Uint8Array(3) };
    expect(() => columns({ x, y })).toThrow(/y: has 3 rows/);
    expect(() => columns({ x: { ...x, data: new Float32Array(3) } })).toThrow(/x: 3 elements/);
    expect(concatenate([rows(2), rows(3, 4)]).rows).toBe(5);
  });
});

describe('CSV', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'causeway-csv-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const read = async (text: string, targetKind: 'class' | 'value' = 'class') => {
    const file = join(folder, 'data.csv');
    await writeFile(file, text);
    return readCsv(file, { target: 'kind', targetKind, testShare: 0.25, seed: 1 });
  };

  test('every row is in exactly one split', async () => {
    const lines = Array.from({ length: 12 }, (_, i) => `${i},${i / 2},${i % 3}`);
    const { train, test: held, features } = await read(['a,b,kind', ...lines].join('\n'));
    expect(features).toEqual(['a', 'b']);
    expect([train.rows, held.rows]).toEqual([9, 3]);
    const seen = [train, held].flatMap(({ tensors }) => {
      const data = tensors['features']?.data as Float32Array;
      return Array.from(data.filter((_, i) => i % 2 === 0));
    });
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i));
  });

  test('a target is class ids, or any numbers where that is said', async () => {
    const text = 'a,kind\n1,-0.5\n2,1e3\n3,2';
    const { train, test: held } = await read(text, 'value');
    expect(train.tensors['label']?.spec).toEqual({ dtype: 'F32', shape: [] });
    const values = [train, held].flatMap(({ tensors }) => Array.from(tensors['label']!.data, Number));
    expect(values.toSorted((a, b) => a - b)).toEqual([-0.5, 2, 1000]);
    await expect(read(text)).rejects.toThrow(/line 2, column kind: -0.5 is no class id.*--target-kind value/);
    expect((await read('a,kind\n1,0\n2,1')).train.tensors['label']?.spec.dtype).toBe('I32');
  });

  test.each([
    ['no such target', 'a,b\n1,2\n3,4', /no column kind/],
    ['a word', 'a,kind\n1,0\nred,1', /line 3, column a: "red"/],
    ['a class that is none', 'a,kind\n1,0\n2,1.5', /line 3, column kind: 1\.5/],
    ['a short line', 'a,kind\n1,0\n2', /line 3/],
    ['too little', 'a,kind\n1,0', /at least 2/],
  ])('refuses %s by line and column', async (_name, text, message) => {
    await expect(read(text)).rejects.toThrow(message);
  });

  test('refuses a value that is no number', async () => {
    await expect(read('a,kind\n1,0.5\n2,much', 'value')).rejects.toThrow(/line 3, column kind: "much"/);
  });
});
