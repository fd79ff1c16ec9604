/** Data sets of the bench: MNIST's images, as often as wanted, in an order of their own. */
import { type Columns, concatenate, slice } from '../../core/datasets/columns.ts';
import { importDataset } from '../../core/datasets/import.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';

/** Of as many rows as a shard of MNIST has. */
const SHARDS = 4;

/**
 * @param by rows that the order begins later: other bytes in every shard, so that no function holds them from a job before
 * @returns the name of the data set, with one split `all`
 */
export async function importRows(
  store: ObjectStore,
  images: Columns,
  { times, by }: { readonly times: number; readonly by: number },
): Promise<string> {
  const turned = [slice(images, by, images.rows), slice(images, 0, by)];
  const all = concatenate(Array.from({ length: times }, () => turned).flat());
  const name = `images-${times}-${by}`;
  await importDataset(store, { name, splits: { all }, shards: SHARDS * times, now: () => new Date() });
  return name;
}
