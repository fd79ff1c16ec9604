import type { RandomHex } from '../../core/telemetry/trace.ts';

const POOL_BYTES = 4_096;

/**
 * Random digits in small portions, each given out once: most of what a few of them cost is the call for them.
 * @param fill with random bytes
 */
export function pooledHex(fill: (bytes: Uint8Array) => void): RandomHex {
  const bytes = new Uint8Array(POOL_BYTES);
  let digits = '';
  let used = 0;
  return (count) => {
    if (count > POOL_BYTES) throw new RangeError(`count: at most ${POOL_BYTES}, not ${count}`);
    if (used + 2 * count > digits.length) {
      fill(bytes);
      digits = hex(bytes);
      used = 0;
    }
    used += 2 * count;
    return digits.slice(used - 2 * count, used);
  };
}

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
