/** The random numbers a batch's Dropout nodes are fed: a function of (seed, shard, step, batch, node), to the bit. */
import { createRandom } from '../../../core/random.ts';

/** Keeps these streams apart from those that order the rows. */
const STREAM = 0x6e6f6973;

export interface NoisePlace {
  readonly seed: number;
  readonly shard: number;
  readonly step: number;
  /** Number of the batch within the step. */
  readonly batch: number;
}

/** @param perRow elements per row of each node @param largest rows of a batch at most */
export function noiseSource(perRow: readonly number[], largest: number) {
  const buffers = perRow.map((elements) => new Float32Array(elements * largest));
  return (rows: number, { seed, shard, step, batch }: NoisePlace): Float32Array<ArrayBuffer>[] =>
    buffers.map((buffer, node) => {
      const { uniform } = createRandom(seed, STREAM, shard, step, batch, node);
      const numbers = buffer.subarray(0, rows * perRow[node]!);
      // Rounding to float32 may give 1, which is kept as well.
      for (let i = 0; i < numbers.length; i++) numbers[i] = uniform();
      return numbers;
    });
}
