import type { DatasetManifest } from '../../../core/contracts/dataset.ts';
import { count } from '../output.ts';

/** One line for people. */
export function describe({ name, version, splits, tensors }: DatasetManifest): string {
  const rows = Object.entries(splits).map(([split, { rows, shards }]) => {
    return `${count(rows)} ${split} rows in ${shards.length} shards`;
  });
  const columns = Object.entries(tensors).map(([tensor, { dtype, shape }]) => {
    return `${tensor} ${dtype} [${shape.join(', ')}]`;
  });
  return `dataset ${name} version ${version}: ${rows.join(', ')}; ${columns.join(', ')}`;
}
