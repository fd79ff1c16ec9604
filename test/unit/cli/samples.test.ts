import { beforeEach, expect, it } from 'vitest';
import { columns } from '../../../core/datasets/columns.ts';
import { importDataset } from '../../../core/datasets/import.ts';
import { requestOfRow } from '../../../infra/cli/samples.ts';
import { type MemoryStore, memoryStore } from '../memory-store.ts';

let store: MemoryStore;
beforeEach(async () => {
  store = memoryStore();
  const rows = columns({
    tokens: { spec: { dtype: 'U16', shape: [2] }, data: Uint16Array.of(5, 6, 7, 8) },
    pixels: { spec: { dtype: 'U8', shape: [1], divisor: 255 }, data: Uint8Array.of(0, 51) },
    label: { spec: { dtype: 'U8', shape: [] }, data: Uint8Array.of(1, 0) },
  });
  await importDataset(store, { name: 'd', splits: { test: rows }, shards: 1, now: () => new Date(0) });
});
const row = (inputs: Parameters<typeof requestOfRow>[1], number = 1) =>
  requestOfRow(store, inputs, { dataset: 'd', version: undefined, split: 'test', row: number });

it('a row is asked for as the model reads it: its inputs, in their element types', async () => {
  const { body, label } = await row([
    { name: 'tokens', datatype: 'INT64' },
    { name: 'pixels', datatype: 'FP32' },
  ]);
  expect(JSON.parse(body)).toEqual({
    inputs: [
      { name: 'tokens', shape: [1, 2], datatype: 'INT64', data: [7, 8] },
      { name: 'pixels', shape: [1, 1], datatype: 'FP32', data: [0.2] },
    ],
  });
  expect(label).toBe(0);
});

it('a column or row that is not there is refused with what there is', async () => {
  await expect(row([{ name: 'image', datatype: 'FP32' }])).rejects.toThrow(
    /no column image.*tokens, pixels, label/,
  );
  await expect(row([{ name: 'tokens', datatype: 'INT64' }], 2)).rejects.toThrow(/rows 0 to 1/);
});
