/** What every format's fixture holds, as the libraries that wrote it say; one row of the shared suite each. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DataFile } from '../../../core/datasets/data-file.ts';
import type { DatasetSource } from '../../../core/datasets/source.ts';
import { idxSource } from '../../../core/datasets/sources/idx.ts';
import { imageSource } from '../../../core/datasets/sources/images.ts';
import { jsonlTable } from '../../../core/datasets/sources/jsonl.ts';
import { numpyArrays } from '../../../core/datasets/sources/numpy.ts';
import { parquetTable } from '../../../core/datasets/sources/parquet.ts';
import { safetensorsRows } from '../../../core/datasets/sources/safetensors.ts';
import { splitFiles } from '../../../core/datasets/sources/split-files.ts';
import { tableSource } from '../../../core/datasets/sources/table.ts';
import { tensorSource } from '../../../core/datasets/sources/tensors.ts';
import { textSource } from '../../../core/datasets/sources/text.ts';
import { TABLE_DEFAULTS } from '../../../core/datasets/table/options.ts';
import { csvTable } from '../../../infra/cli/datasets/csv.ts';
import { imageDecoder } from '../../../infra/cli/datasets/decode-image.ts';
import { dataFile } from '../../../infra/cli/datasets/files.ts';
import { imageFiles } from '../../../infra/cli/datasets/image-folder.ts';
import { memoryFile } from './data-file.ts';

export const FIXTURES = fileURLToPath(new URL('../../fixtures/datasets/', import.meta.url));
export const fixture = (name: string): Promise<DataFile> => dataFile(join(FIXTURES, name));

export interface Expected {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly trees: {
    readonly width: readonly number[];
    readonly count: readonly (number | null)[];
    readonly flag: readonly boolean[];
    readonly kind: readonly string[];
    readonly curve: readonly (readonly number[])[];
  };
  readonly images: Readonly<
    Record<string, Readonly<Record<'rgb' | 'grey' | 'small' | 'large', readonly number[]>>>
  >;
}
export const EXPECTED = JSON.parse(await readFile(join(FIXTURES, 'expected.json'), 'utf8')) as Expected &
  Readonly<Record<string, readonly number[]>>;

export interface Format {
  readonly name: string;
  readonly open: () => Promise<DatasetSource>;
  /** Values by tensor, of all rows in order, split by split; of classes with labels the texts. */
  readonly values: Readonly<Record<string, readonly (number | string)[]>>;
}

const KINDS = ['plain', 'with "quotes"', 'two\nlines'];
const nine = Array.from({ length: 9 }, (_, i) => i);
const TREES = EXPECTED.trees;
const treeOptions = { ...TABLE_DEFAULTS, target: 'kind', drop: ['day'], fill: -1 };
const trees = {
  features: TREES.width.flatMap((width, i) => [
    Math.fround(width),
    TREES.count[i] ?? -1,
    Number(TREES.flag[i]),
  ]),
  curve: TREES.curve.flat(),
  label: TREES.kind,
};
const xy = { x: EXPECTED.x, y: EXPECTED.y };

async function shapes(): Promise<DatasetSource> {
  const files = await imageFiles(join(FIXTURES, 'shapes/train'), join(FIXTURES, 'shapes/test'));
  return imageSource(files, { channels: 3, seed: 1, decode: imageDecoder() });
}

export const FORMATS: readonly Format[] = [
  {
    name: 'CSV',
    open: async () =>
      tableSource(await csvTable(splitFiles([await fixture('quoted.csv')]), { delimiter: ',' }), {
        ...TABLE_DEFAULTS,
        target: 'the "kind"',
      }),
    values: { features: nine.map((i) => i / 4), label: nine.map((i) => KINDS[i % 3]!) },
  },
  {
    name: 'JSON Lines',
    open: async () => {
      const lines = nine.map((i) =>
        JSON.stringify({
          at: i,
          grid: [
            [i, 2],
            [3, i / 2],
          ],
          kind: KINDS[i % 3],
        }),
      );
      const table = await jsonlTable(splitFiles([memoryFile('a.jsonl', `\uFEFF${lines.join('\r\n')}\n\n`)]));
      return tableSource(table, { ...TABLE_DEFAULTS, target: 'kind' });
    },
    values: {
      features: nine,
      grid: nine.flatMap((i) => [i, 2, 3, i / 2]),
      label: nine.map((i) => KINDS[i % 3]!),
    },
  },
  ...['snappy', 'zstd'].map((codec) => ({
    name: `Parquet, ${codec}`,
    open: async () =>
      tableSource(await parquetTable(splitFiles([await fixture(`trees.${codec}.parquet`)])), treeOptions),
    values: trees,
  })),
  ...['stored', 'deflated'].map((how) => ({
    name: `NumPy, ${how}`,
    open: async () => {
      const arrays = await numpyArrays(await fixture(`${how}.npz`));
      const named = arrays.filter(({ name }) => name !== 'words').map((array) => array.rows());
      return tensorSource([{ tensors: await Promise.all(named) }], { target: 'y', divisors: {} });
    },
    values: xy,
  })),
  {
    name: 'safetensors in shards',
    open: async () => {
      const shards = await Promise.all(
        ['part-0', 'part-1'].map(async (name) => safetensorsRows(await fixture(`${name}.safetensors`))),
      );
      const [first, ...others] = shards.map((tensors) => ({ tensors }));
      return tensorSource([first!, ...others], { target: 'y', divisors: {} });
    },
    values: xy,
  },
  {
    name: 'IDX',
    open: () =>
      idxSource({
        images: memoryFile(
          'images',
          Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6),
        ),
        labels: memoryFile('labels', Uint8Array.of(0, 0, 0x0b, 1, 0, 0, 0, 2, 0, 7, 1, 0)),
      }),
    values: { image: [1, 2, 3, 4, 5, 6], label: [7, 256] },
  },
  {
    name: 'text',
    open: () => textSource(memoryFile('a.txt', 'abcdefghijkl'), { length: 2, testShare: 0.4 }),
    values: {
      tokens: Array.from('abcdefhijk', (letter) => letter.charCodeAt(0)),
      targets: Array.from('bcdefgijkl', (letter) => letter.charCodeAt(0)),
    },
  },
  {
    name: 'images',
    open: shapes,
    // The order is the seed's: what is checked is which image has which pixels, in images.test.ts.
    values: {},
  },
];
