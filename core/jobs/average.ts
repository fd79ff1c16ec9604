/**
 * The mean of what shards sent, summed in float64 in shard order, so that the bytes do not depend on who finished
 * first. (Federated averaging: McMahan et al. 2017, arXiv:1602.05629.)
 *
 * The job's loss is a mean over what is counted, tokens or masked elements as well as rows, so what gradients change
 * is weighed by `count`: the mean of the shards' mean gradients is then the gradient of the mean over all of it, and
 * to first order so is that of the changes made by as many steps each. What is assigned, running statistics of the
 * rows, is weighed by rows.
 */
import { Fault } from '../errors.ts';

/** What an update weighs. */
export interface Share {
  readonly shard: number;
  /** Rows trained on. */
  readonly samples: number;
  /** What the loss counted of them. */
  readonly count: number;
}

/**
 * @param updates at least one; their order does not matter
 * @param vectorOf all of one length
 * @param trained elements that gradients change, before those that are assigned; default: all
 * @throws Fault `unprocessable` naming the shard whose vector has a NaN or an infinity, or where nothing is counted
 */
export function meanOf<U extends Share>(
  updates: readonly U[],
  vectorOf: (update: U) => Float32Array,
  trained?: number,
): Float32Array<ArrayBuffer> {
  const ordered = [...updates].sort((a, b) => a.shard - b.shard);
  const first = ordered[0];
  if (first === undefined) throw new Fault('invalid', 'a round needs at least one update');
  const total = (weightOf: (share: Share) => number) =>
    ordered.reduce((sum, share) => sum + weightOf(share), 0);
  const [counted, rows] = [total(({ count }) => count), total(({ samples }) => samples)];
  if (counted === 0)
    throw new Fault('unprocessable', 'the loss counts nothing in any of the rows', { field: 'loss' });
  const { length } = vectorOf(first);
  const sum = new Float64Array(length);
  const cut = Math.min(trained ?? length, length);
  for (const update of ordered) {
    const { shard, samples, count } = update;
    const vector = vectorOf(update);
    const isFinite =
      addScaled(sum, vector, count / counted, 0, cut) && addScaled(sum, vector, samples / rows, cut, length);
    if (!isFinite)
      throw new Fault('unprocessable', `the update of shard ${shard} is not finite: training diverged`);
  }
  return new Float32Array(sum);
}

/** `sum += weight · values` from `start` to `end`. @returns false where a value is not finite. */
function addScaled(
  sum: Float64Array,
  values: Float32Array,
  weight: number,
  start: number,
  end: number,
): boolean {
  // x − x is 0 for every finite x and NaN otherwise, and NaN sticks: one check after the loop instead of one in it.
  let notFinite = 0;
  for (let i = start; i < end; i++) {
    const value = values[i]!;
    notFinite += value - value;
    sum[i]! += weight * value;
  }
  return notFinite === 0;
}
