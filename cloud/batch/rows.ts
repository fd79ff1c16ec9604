/** The rows of a part, and a reason that names them where they cannot be had. */
import type { BatchSpec, EvaluateSpec, FanOutPlan } from '../../core/contracts/fan-out.ts';
import type { Columns } from '../../core/datasets/columns.ts';
import { readManifest, readRows } from '../../core/datasets/read.ts';
import { Fault } from '../../core/errors.ts';
import { sha256Native } from '../adapters/sha256.ts';
import type { BatchContext } from './context.ts';

export async function partRows(
  { store, caches, documents }: BatchContext,
  { job, parts }: FanOutPlan,
  { dataset, split }: Pick<BatchSpec | EvaluateSpec, 'dataset' | 'split'>,
  part: number,
): Promise<{ readonly start: number; readonly columns: Columns }> {
  const range = parts[part];
  if (range === undefined) throw new Fault('unprocessable', `job ${job} has no part ${part}`);
  const { start, end } = range;
  try {
    const manifest = await readManifest(store, dataset.name, dataset.version, documents);
    return { start, columns: await readRows(store, manifest, split, range, caches.rows, sha256Native) };
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    // A damaged shard names itself; whoever mends it wants to know which rows are missing.
    throw new Fault(thrown.code, `rows ${start} to ${end - 1} of ${split}: ${thrown.message}`, {
      field: 'dataset',
      cause: thrown,
    });
  }
}
