/** Rows of a dataset as Open Inference Protocol requests. */
import { readManifest, readRows } from '../../core/datasets/read.ts';
import { Fault } from '../../core/errors.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';

export interface SampleRequest {
  readonly body: string;
  /** Values of the columns that are no input of the model: the true class. */
  readonly label: number | undefined;
}

/** @throws Fault `invalid` where the dataset has no such row */
export async function requestOfRow(
  store: ObjectStore,
  where: {
    readonly dataset: string;
    readonly version: string | undefined;
    readonly split: string;
    readonly row: number;
  },
): Promise<SampleRequest> {
  const version = where.version === undefined ? undefined : Number(where.version);
  const manifest = await readManifest(store, where.dataset, version);
  const rows = manifest.splits[where.split]?.rows ?? 0;
  if (where.row >= rows) {
    throw new Fault('invalid', `row: ${where.split} of ${where.dataset} has rows 0 to ${rows - 1}`, {
      field: 'row',
    });
  }
  const columns = await readRows(store, manifest, where.split, { start: where.row, end: where.row + 1 });
  const scalars = Object.values(columns.tensors).find(({ spec }) => spec.shape.length === 0);
  const inputs = Object.entries(columns.tensors)
    .filter(([, { spec }]) => spec.shape.length > 0)
    .map(([name, { spec, data }]) => {
      const divisor = spec.divisor ?? 1;
      const values = Array.from<number | bigint, number>(data, (value) => Number(value) / divisor);
      return { name, shape: [1, ...spec.shape], datatype: 'FP32', data: values };
    });
  return {
    body: JSON.stringify({ inputs }),
    label: scalars === undefined ? undefined : Number(scalars.data[0]),
  };
}
