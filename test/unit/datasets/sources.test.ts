/** One suite on all formats: what is promised by DatasetSource, and what comes of it in a bucket. */
import { describe, expect, test } from 'vitest';
import type { DatasetManifest } from '../../../core/contracts/dataset.ts';
import { type Columns, concatenate } from '../../../core/datasets/columns.ts';
import { importSource } from '../../../core/datasets/import.ts';
import { readRows } from '../../../core/datasets/read.ts';
import type { Batch, DatasetSource } from '../../../core/datasets/source.ts';
import { elementCount } from '../../../core/tensors/tensor.ts';
import { memoryStore } from '../memory-store.ts';
import { FORMATS } from './formats.ts';

const IMPORT = { name: 'd', shards: 2, heldOut: { share: 0.25, seed: 3 }, now: () => new Date(0) };

async function batchesOf(source: DatasetSource): Promise<{ batches: Batch[]; bytes: number }> {
  const batches: Batch[] = [];
  let bytes = 0;
  for await (const batch of source.read((more) => (bytes += more))) batches.push(batch);
  return { batches, bytes };
}

const whole = (
  manifest: DatasetManifest,
  store: ReturnType<typeof memoryStore>,
  split: string,
): Promise<Columns> => readRows(store, manifest, split, { start: 0, end: manifest.splits[split]!.rows });

describe.each(FORMATS)('$name', ({ open, values }) => {
  test('has the rows that the file has, twice, as often read and as large as it says', async () => {
    const source = await open();
    await batchesOf(source);
    const columns = source.settle();
    const first = await batchesOf(source);
    const second = await batchesOf(source);
    const [all, again] = [first, second].map(({ batches }) => concatenate(batches.map(({ rows }) => rows)));
    expect(again).toEqual(all);
    expect(first.bytes).toBe(source.bytes);
    expect(first.batches.every(({ wrong }) => wrong.size === 0)).toBe(true);
    for (const [name, spec] of Object.entries(source.tensors)) {
      expect(all!.tensors[name]!.spec).toEqual(spec);
      expect(all!.tensors[name]!.data).toHaveLength(all!.rows * elementCount(spec.shape));
    }
    for (const [name, wanted] of Object.entries(values)) {
      const labels = columns.find(({ tensor, element }) => tensor === name && element === undefined)?.labels;
      const found = Array.from<number | bigint, number | string>(
        all!.tensors[name]!.data,
        (value) => labels?.[Number(value)] ?? Number(value),
      );
      expect(found, name).toEqual(wanted);
      expect(labels, name).toEqual(labels?.toSorted());
    }
  });

  test('every row comes back from the bucket, in one split, with its statistics', async () => {
    const store = memoryStore();
    const source = await open();
    const { batches } = await batchesOf(await open());
    const manifest = await importSource(store, { ...IMPORT, source });
    const rows = Object.values(manifest.splits).reduce((sum, split) => sum + split.rows, 0);
    expect(rows).toBe(batches.reduce((sum, batch) => sum + batch.rows.rows, 0));
    expect(Object.keys(manifest.splits)).toEqual(['train', 'test']);
    for (const [split, { statistics, rows: count }] of Object.entries(manifest.splits)) {
      const { tensors } = await whole(manifest, store, split);
      for (const { name, tensor, element, kind, classes } of manifest.columns!) {
        const width = elementCount(tensors[tensor]!.spec.shape);
        const all = Array.from(tensors[tensor]!.data, Number);
        const own = element === undefined ? all : all.filter((_, i) => i % width === element);
        const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
        const variance = own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / own.length;
        const found = statistics![name]!;
        expect(found).toMatchObject({ min: Math.min(...own), max: Math.max(...own) });
        expect(found.mean).toBeCloseTo(mean, 9);
        expect(found.std).toBeCloseTo(Math.sqrt(variance), 9);
        if (kind !== 'class') continue;
        expect(Math.max(...own)).toBeLessThan(classes!);
        expect(found.perClass!.map((_, id) => own.filter((value) => value === id).length)).toEqual(
          found.perClass,
        );
      }
      expect(count).toBeGreaterThan(0);
    }
  });

  test('imported again is the same version, with nothing written', async () => {
    const store = memoryStore();
    const first = await importSource(store, { ...IMPORT, source: await open() });
    const { put } = { ...store.calls };
    expect(await importSource(store, { ...IMPORT, source: await open() })).toEqual(first);
    expect(store.calls.put).toBe(put);
  });
});
