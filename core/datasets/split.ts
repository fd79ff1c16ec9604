/** Which rows are held out, decided row by row as they come by. */
import { Fault } from '../errors.ts';
import type { LeftOutRows } from '../contracts/dataset.ts';
import { createRandom } from '../random.ts';
import { wanting } from './bad-rows.ts';

export interface HeldOut {
  /** Share of the rows, 0 to below 1; 0 holds none out. Rounded to whole rows, at least one and not all. */
  readonly share: number;
  readonly seed: number;
}

/** The splits that are drawn, and how many rows each will have. */
export function drawnSplits(
  rows: number,
  { share }: HeldOut,
  leftOut?: LeftOutRows,
): Record<'train' | 'test', number> {
  const least = share === 0 ? 1 : 2;
  if (rows < least)
    throw new Fault(
      'invalid',
      wanting(`of good rows at least ${least} are needed, and there are ${rows}`, leftOut),
      {
        field: 'rows',
      },
    );
  const test = share === 0 ? 0 : Math.min(rows - 1, Math.max(1, Math.round(rows * share)));
  return { train: rows - test, test };
}

/**
 * Selection sampling (Fan, Muller & Rezucha 1962; Knuth, TAOCP 2, 3.4.2, algorithm S): exactly `test` of the rows, each
 * choice of them equally likely, in one passage and without remembering any.
 * @returns asked once per row, in order: is it held out?
 */
export function drawing(
  { train, test }: Readonly<Record<'train' | 'test', number>>,
  seed: number,
): () => boolean {
  const random = createRandom(seed);
  let left = train + test;
  let wanted = test;
  return () => {
    const isHeldOut = wanted > 0 && random.below(left) < wanted;
    left -= 1;
    if (isHeldOut) wanted -= 1;
    return isHeldOut;
  };
}
