/** What becomes of a table's columns. */
import { describe, expect, test } from 'vitest';
import type { Columns } from '../../../core/datasets/columns.ts';
import { importSource } from '../../../core/datasets/import.ts';
import { collect } from '../../../core/datasets/sources/memory.ts';
import { jsonlTable } from '../../../core/datasets/sources/jsonl.ts';
import { splitFiles } from '../../../core/datasets/sources/split-files.ts';
import { tableSource } from '../../../core/datasets/sources/table.ts';
import { TABLE_DEFAULTS, type TableOptions } from '../../../core/datasets/table/options.ts';
import { csvTable } from '../../../infra/cli/datasets/csv.ts';
import { memoryStore } from '../memory-store.ts';
import { memoryFile } from './data-file.ts';

const open = async (text: string, options: Partial<TableOptions> = {}, test?: string) => {
  const files = splitFiles(
    [memoryFile('a.csv', text)],
    test === undefined ? [] : [memoryFile('test.csv', test)],
  );
  return tableSource(await csvTable(files, { delimiter: ',' }), { ...TABLE_DEFAULTS, ...options });
};
const values = (rows: Columns | undefined, tensor: string) => Array.from(rows!.tensors[tensor]!.data, Number);
const PETS = 'size,kind,name\n3,dog,Rex\n1,cat,Tom\n2,dog,Ace\n4,emu,Zoe\n';

describe('a table', () => {
  test('texts get ids in their order, whatever the order of the rows', async () => {
    const source = await open(PETS, { target: 'kind', drop: ['name'] });
    const { all } = await collect(source);
    expect(values(all, 'label')).toEqual([1, 0, 1, 2]);
    expect(source.settle()).toEqual([
      { name: 'size', tensor: 'features', element: 0, kind: 'number', nulls: 0 },
      { name: 'kind', tensor: 'label', kind: 'class', nulls: 0, classes: 3, labels: ['cat', 'dog', 'emu'] },
    ]);
  });

  test('held-out files share the ids, also of texts that only they have', async () => {
    const { train, test } = await collect(
      await open('a,kind\n1,b\n2,d\n', { target: 'kind' }, 'a,kind\n3,c\n4,a\n'),
    );
    expect([values(train, 'label'), values(test, 'label')]).toEqual([
      [1, 3],
      [2, 0],
    ]);
  });

  test('a held-out file with other columns, or without rows, is refused', async () => {
    await expect(open('a,b\n1,2\n', {}, 'b,a\n1,2\n')).rejects.toThrow(
      /test\.csv: columns b, a; a\.csv has a, b/,
    );
    await expect(collect(await open('a,b\n1,2\n', {}, 'a,b\n'))).rejects.toThrow(/no rows in test/);
  });

  test('numbers may be taken for texts, texts never for numbers', async () => {
    const zips = 'zip,price\n01067,3\n80331,4\n01067,5\n';
    const source = await open(zips, { target: 'price', targetKind: 'value', categories: ['zip'] });
    expect(values((await collect(source))['all'], 'features')).toEqual([0, 1, 0]);
    expect(source.settle()[0]).toMatchObject({ kind: 'class', labels: ['01067', '80331'] });
    await expect(collect(await open('a\n1\ntwo\n'))).rejects.toThrow(/line 3: column a: "two" is no number/);
  });

  test('a value that is missing makes a row wrong, or is filled in and counted', async () => {
    const text = 'a,b,kind\n1,x,0\n,y,1\nNA,,0\n4,x,1\n';
    const options = { target: 'kind', missing: ['NA'] };
    await expect(collect(await open(text, options))).rejects.toThrow(
      /^2 rows cannot be read.*\n.*line 3: column a/,
    );
    const source = await open(text, { ...options, fill: -1 });
    const { all } = await collect(source);
    expect(values(all, 'features')).toEqual([1, 1, -1, 2, -1, 0, 4, 1]);
    expect(source.settle().map(({ nulls, labels }) => [nulls, labels])).toEqual([
      [2, undefined],
      [1, ['', 'x', 'y']],
      [0, undefined],
    ]);
    const noLabel = await open('a,kind\n1,0\n2,\n', { target: 'kind', fill: 0 });
    await expect(collect(noLabel)).rejects.toThrow(/line 3: column kind: there is no value/);
  });

  test.each([
    ['U8', '255', 255, '256'],
    ['I16', '-32768', -32_768, '1.5'],
    ['I64', '9007199254740991', 2 ** 53 - 1, '9007199254740992'],
    ['F64', '1e300', 1e300, '1e309'],
  ] as const)('%s features hold what they hold', async (dtype, good, value, bad) => {
    const { all } = await collect(await open(`a\n${good}\n`, { dtype }));
    expect(all!.tensors['features']!.spec).toEqual({ dtype, shape: [1] });
    expect(values(all, 'features')).toEqual([value]);
    await expect(collect(await open(`a\n${good}\n${bad}\n`, { dtype }))).rejects.toThrow(/line 3: column a/);
  });

  test('columns that are not there, or are no numbers, are refused', async () => {
    await expect(open(PETS, { target: 'age' })).rejects.toThrow(/no column age; it has size, kind, name/);
    await expect(open(PETS, { drop: ['size', 'kind', 'name'] })).rejects.toThrow(/no column is left/);
    const table = await jsonlTable(splitFiles([memoryFile('a.jsonl', '{"a":{"b":1}}')]));
    await expect(tableSource(table, TABLE_DEFAULTS)).rejects.toThrow(/column a holds objects.*--drop a/);
    const names = Array.from({ length: 10_001 }, (_, i) => `name ${i}`);
    await expect(collect(await open(`a\n${names.join('\n')}\n`))).rejects.toThrow(
      /more than 10000 different texts/,
    );
  });

  test('a divisor is kept, a regression has a target of numbers', async () => {
    const text = 'a,y\n1,-0.5\n2,1e3\n';
    const source = await open(text, { target: 'y', targetKind: 'value', divisor: 4 });
    expect(source.tensors).toEqual({
      features: { dtype: 'F32', shape: [1], divisor: 4 },
      label: { dtype: 'F32', shape: [] },
    });
    expect(values((await collect(source))['all'], 'label')).toEqual([-0.5, 1000]);
  });

  test('labels that differ make a version, though the bytes are the same', async () => {
    const store = memoryStore();
    const of = async (kinds: string) =>
      importSource(store, {
        name: 'd',
        source: await open(`a,kind\n1,${kinds[0]}\n2,${kinds[1]}\n`, { target: 'kind' }),
        shards: 1,
        heldOut: { share: 0, seed: 0 },
        now: () => new Date(0),
      });
    expect([(await of('ab')).version, (await of('ab')).version, (await of('cd')).version]).toEqual([1, 1, 2]);
  });
});
