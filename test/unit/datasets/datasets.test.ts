import { describe, expect, test } from 'vitest';
import { datasetShardKey } from '../../../core/contracts/keys.ts';
import { columns, concatenate, slice } from '../../../core/datasets/columns.ts';
import { importDataset } from '../../../core/datasets/import.ts';
import { readManifest, readRows } from '../../../core/datasets/read.ts';
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
