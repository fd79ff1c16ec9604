/** How rows get into the bucket: shards, splits, and versions that exist whole or not at all. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { datasetKey, datasetShardKey } from '../../../core/contracts/keys.ts';
import { columns, type Columns } from '../../../core/datasets/columns.ts';
import { importSource, type ImportOptions } from '../../../core/datasets/import.ts';
import { readManifest, readRows } from '../../../core/datasets/read.ts';
import type { DatasetSource } from '../../../core/datasets/source.ts';
import { drawing, drawnSplits } from '../../../core/datasets/split.ts';
import { memoryStore } from '../memory-store.ts';

const COLUMN = { name: 'x', tensor: 'x', kind: 'number', nulls: 0 } as const;
const spec = { dtype: 'F64', shape: [] } as const;
const rowsOf = (values: readonly number[]): Columns =>
  columns({ x: { spec: { ...spec, shape: [] }, data: Float64Array.from(values) } });

/** Rows in batches of any sizes; those that are wrong are NaN. */
function source(batches: readonly (readonly number[])[]): DatasetSource {
  return {
    bytes: batches.flat().length,
    tensors: { x: { dtype: 'F64', shape: [] } },
    async *read(onRead) {
      for (const values of batches) {
        onRead(values.length);
        const wrong = new Map(values.flatMap((value, row) => (Number.isNaN(value) ? [[row, 'NaN']] : [])));
        yield { rows: rowsOf(values), wrong, placeOf: String };
      }
    },
    settle: () => [COLUMN],
  };
}
const counting = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const OPTIONS: Omit<ImportOptions, 'source'> = {
  name: 'd',
  shards: 3,
  heldOut: { share: 0.25, seed: 7 },
  now: () => new Date(0),
};
const read = async (store: ReturnType<typeof memoryStore>, split: string, version?: number) => {
  const manifest = await readManifest(store, 'd', version);
  const { rows } = manifest.splits[split]!;
  return Array.from(
    (await readRows(store, manifest, split, { start: 0, end: rows })).tensors['x']!.data,
    Number,
  );
};

describe('rows are stored', () => {
  test('each once and in order, the same ones however they come', async () => {
    const cut = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(cut, fc.integer({ min: 1, max: 9 }), async (sizes, shards) => {
        const total = sizes.reduce((sum, size) => sum + size, 0) + 1;
        let at = 0;
        const batches = [...sizes, 1].map((size) => counting(at, (at += size)));
        const [store, other] = [memoryStore(), memoryStore()];
        const manifest = await importSource(store, { ...OPTIONS, shards, source: source(batches) });
        const again = await importSource(other, { ...OPTIONS, shards, source: source([counting(0, total)]) });
        expect(again).toEqual(manifest);
        const [train, held] = [await read(store, 'train'), await read(store, 'test')];
        expect(train).toEqual(train.toSorted((a, b) => a - b));
        expect([...train, ...held].toSorted((a, b) => a - b)).toEqual(counting(0, total));
        expect(held).toHaveLength(Math.max(1, Math.round(total / 4)));
        const sizesOf = manifest.splits['train']!.shards.map(({ rows }) => rows);
        expect(Math.max(...sizesOf) - Math.min(...sizesOf)).toBeLessThanOrEqual(1);
        expect(sizesOf).toHaveLength(Math.min(shards, train.length));
      }),
      { numRuns: 50 },
    );
  });

  test('in as many shards as their size asks for', async () => {
    const store = memoryStore();
    const rows = source([counting(0, 100)]);
    const manifest = await importSource(store, { ...OPTIONS, shardBytes: 64, source: rows });
    expect(manifest.splits['train']!.shards.map(({ rows }) => rows)).toEqual(
      [7, 8, 7, 8, 7, 8, 7, 8, 7, 8].slice(0, 10),
    );
    expect(await read(store, 'train')).toHaveLength(75);
  });

  test('without the wrong ones, in batches of which some have no other', async () => {
    const store = memoryStore();
    const batches = [[1, NaN, 2], [NaN, NaN], [3], [NaN, 4]];
    const all = { ...OPTIONS, heldOut: { share: 0, seed: 0 }, maxBadRows: 4 };
    const manifest = await importSource(store, { ...all, source: source(batches) });
    expect(manifest.leftOut?.count).toBe(4);
    expect(await read(store, 'train')).toEqual([1, 2, 3, 4]);
    expect(Object.keys(manifest.splits)).toEqual(['train']);
  });
});

describe('the draw', () => {
  test('takes exactly its share, another with another seed, and every row as likely', () => {
    const times = new Uint32Array(20);
    for (let seed = 0; seed < 1000; seed++) {
      const splits = drawnSplits(20, { share: 0.3, seed });
      const isHeldOut = drawing(splits, seed);
      const drawn = counting(0, 20).filter(() => isHeldOut());
      expect(drawn).toHaveLength(6);
      for (const row of drawn) times[row]! += 1;
    }
    // 1000 draws of 0.3: a deviation of 14.5, so that 5 of them are never seen.
    for (const time of times) expect(Math.abs(time - 300)).toBeLessThan(73);
  });

  test('leaves at least a row on either side', () => {
    expect(drawnSplits(2, { share: 0.9, seed: 0 })).toEqual({ train: 1, test: 1 });
    expect(drawnSplits(1, { share: 0, seed: 0 })).toEqual({ train: 1, test: 0 });
    expect(() => drawnSplits(1, { share: 0.1, seed: 0 })).toThrow(/at least 2/);
  });
});

describe('a version', () => {
  test('is there whole or not at all, wherever the import dies', async () => {
    const rows = source([counting(0, 40)]);
    let puts = 0;
    for (let dies = 1; ; dies++) {
      const store = memoryStore();
      let left = dies;
      store.before = (operation) => {
        if (operation === 'put' && --left === 0) throw new Error('killed');
      };
      const outcome = await importSource(store, { ...OPTIONS, source: rows }).catch(
        (error: Error) => error.message,
      );
      puts = dies;
      if (outcome !== 'killed') break;
      await expect(readManifest(store, 'd')).rejects.toMatchObject({ code: 'not_found' });
      store.before = () => {};
      await importSource(store, { ...OPTIONS, source: rows });
      expect((await read(store, 'train')).length).toBe(30);
    }
    // 3 shards of each split and the manifest.
    expect(puts).toBe(8);
  });

  test('that begins as the one before copies what was passed over', async () => {
    const store = memoryStore();
    const all = { ...OPTIONS, heldOut: { share: 0, seed: 0 } };
    await importSource(store, { ...all, source: source([counting(0, 9)]) });
    const changed = [...counting(0, 8), 100];
    const second = await importSource(store, { ...all, source: source([changed]) });
    expect(second.version).toBe(2);
    expect(await read(store, 'train', 1)).toEqual(counting(0, 9));
    expect(await read(store, 'train', 2)).toEqual(changed);
  });

  test('is not made of a shard that was altered', async () => {
    const store = memoryStore();
    const all = { ...OPTIONS, heldOut: { share: 0, seed: 0 } };
    await importSource(store, { ...all, source: source([counting(0, 9)]) });
    store.tamper(datasetShardKey('d', 1, 'train', 0), Uint8Array.of(1));
    const again = importSource(store, { ...all, source: source([[...counting(0, 8), 100]]) });
    await expect(again).rejects.toMatchObject({ code: 'unprocessable' });
  });

  test('that somebody else makes meanwhile is a conflict', async () => {
    const store = memoryStore();
    store.before = (operation, key) => {
      if (operation === 'put' && key.endsWith('00000.safetensors'))
        store.tamper(datasetKey('d', 1), Uint8Array.of(1));
    };
    await expect(importSource(store, { ...OPTIONS, source: source([counting(0, 9)]) })).rejects.toMatchObject(
      {
        code: 'conflict',
      },
    );
  });

  test.each([
    ['fewer', [1, 2, 3]],
    ['more', [1, 2, 3, 4, 5, 6]],
  ])('is not made where the second reading has %s rows', async (_name, second) => {
    const store = memoryStore();
    let reading = 0;
    const changing: DatasetSource = {
      ...source([]),
      read: (onRead) => source([++reading === 1 ? [1, 2, 3, 4] : second]).read(onRead),
    };
    const importing = importSource(store, { ...OPTIONS, heldOut: { share: 0, seed: 0 }, source: changing });
    await expect(importing).rejects.toMatchObject({ code: 'conflict' });
    await expect(readManifest(store, 'd')).rejects.toMatchObject({ code: 'not_found' });
  });
});
