/** Rows of a dataset as Open Inference Protocol requests. */
import { readManifest, readRows } from '../../core/datasets/read.ts';
import { Fault } from '../../core/errors.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';

export interface SampleRequest {
  readonly body: string;
  /** Values of the columns that are no input of the model: the true class. */
  readonly label: number | undefined;
}

/** An input of the model as its metadata has it. */
export interface ModelInput {
  readonly name: string;
  readonly datatype: string;
}

/**
 * @param wanted the model's inputs; each reads the column of its name, a single one the only column that is no scalar
 * @throws Fault `invalid` where the dataset has no such row, or no column for an input
 */
export async function requestOfRow(
  store: ObjectStore,
  wanted: readonly ModelInput[],
  where: {
    readonly dataset: string;
    readonly version: number | undefined;
    readonly split: string;
    readonly row: number;
  },
): Promise<SampleRequest> {
  const manifest = await readManifest(store, where.dataset, where.version);
  const rows = manifest.splits[where.split]?.rows ?? 0;
  if (where.row >= rows) {
    throw new Fault('invalid', `row: ${where.split} of ${where.dataset} has rows 0 to ${rows - 1}`, {
      field: 'row',
    });
  }
  const columns = await readRows(store, manifest, where.split, { start: where.row, end: where.row + 1 });
  const { tensors } = columns;
  const scalars = Object.values(tensors).find(({ spec }) => spec.shape.length === 0);
  const shaped = Object.keys(tensors).filter((name) => tensors[name]!.spec.shape.length > 0);
  const inputs = wanted.map(({ name, datatype }) => {
    const only = wanted.length === 1 && shaped.length === 1 ? shaped[0] : undefined;
    const column = tensors[name] ?? (only === undefined ? undefined : tensors[only]);
    if (column === undefined)
      throw new Fault(
        'invalid',
        `data: ${where.dataset} has no column ${name}, which the model reads; it has ${Object.keys(tensors).join(', ')}`,
        { field: 'data' },
      );
    const { spec, data } = column;
    const divisor = spec.divisor ?? 1;
    const values = Array.from<number | bigint, number>(data, (value) => Number(value) / divisor);
    return { name, shape: [1, ...spec.shape], datatype, data: values };
  });
  return {
    body: JSON.stringify({ inputs }),
    label: scalars === undefined ? undefined : Number(scalars.data[0]),
  };
}
