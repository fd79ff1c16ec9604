/** Rows that are in memory already. */
import type { DatasetTensor } from '../../contracts/dataset.ts';
import { Fault } from '../../errors.ts';
import { type Columns, concatenate, slice } from '../columns.ts';
import { batchRows, type DatasetSource, NO_WRONG, tensorColumns } from '../source.ts';
import { rowBytesOf } from '../shard-writer.ts';
import { survey } from '../survey.ts';

/** @throws Fault `invalid` where the splits do not have the same tensors */
export function memorySource(splits: Readonly<Record<string, Columns>>): DatasetSource {
  const tensors = tensorsOf(splits);
  const rowBytes = rowBytesOf(tensors);
  const size = batchRows(rowBytes);
  return {
    bytes: Object.values(splits).reduce((sum, { rows }) => sum + rows * rowBytes, 0),
    tensors,
    rows: Object.fromEntries(Object.entries(splits).map(([split, { rows }]) => [split, rows])),
    async *read(onRead) {
      for (const [split, all] of Object.entries(splits)) {
        for (let at = 0; at < all.rows; at += size) {
          const rows = slice(all, at, Math.min(all.rows, at + size));
          onRead(rows.rows * rowBytes);
          yield { rows, wrong: NO_WRONG, placeOf: (row) => `${split} row ${at + row}`, split };
        }
      }
    },
    settle: () => tensorColumns(Object.keys(tensors), new Set()),
  };
}

function tensorsOf(splits: Readonly<Record<string, Columns>>): Readonly<Record<string, DatasetTensor>> {
  const [first, ...rest] = Object.entries(splits).map(([split, { tensors }]) => ({
    split,
    specs: Object.fromEntries(Object.entries(tensors).map(([name, { spec }]) => [name, spec])),
  }));
  if (first === undefined) throw new Fault('invalid', 'splits: at least one is needed', { field: 'splits' });
  for (const { split, specs } of rest) {
    if (JSON.stringify(specs) !== JSON.stringify(first.specs)) {
      throw new Fault('invalid', `splits: ${split} has other tensors than ${first.split}`, {
        field: 'splits',
      });
    }
  }
  return first.specs;
}

/** All rows of a source, by split (`all` where it does not say), for what is small. @throws Fault as an import does */
export async function collect(source: DatasetSource): Promise<Record<string, Columns>> {
  const parts: Record<string, Columns[]> = {};
  const seen = await survey(source, 0, () => {});
  for await (const { rows, split } of seen.read(() => {})) (parts[split ?? 'all'] ??= []).push(rows);
  return Object.fromEntries(Object.entries(parts).map(([split, rows]) => [split, concatenate(rows)]));
}
