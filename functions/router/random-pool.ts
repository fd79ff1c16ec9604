import type { RandomBytes } from '../../core/telemetry/trace.ts';

const POOL_BYTES = 4_096;

/**
 * Random bytes in small portions, each given out once: what a call of the generator costs is the call.
 * @param fill with random bytes
 */
export function pooled(fill: (bytes: Uint8Array) => void): RandomBytes {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  return (count) => {
    if (count > POOL_BYTES) throw new RangeError(`count: at most ${POOL_BYTES}, not ${count}`);
    if (used + count > POOL_BYTES) {
      fill(pool);
      used = 0;
    }
    used += count;
    return pool.slice(used - count, used);
  };
}
