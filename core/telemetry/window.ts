/** The most recent readings, for quantiles to show. A ring: adding is O(1), asking sorts a copy. */
export interface Window {
  add(value: number): void;
  /** @param q in [0, 1], nearest rank; null while empty */
  quantile(q: number): number | null;
}

export function createWindow(capacity: number): Window {
  const ring = new Float32Array(capacity);
  let added = 0;
  return {
    add(value) {
      ring[added % capacity] = value;
      added += 1;
    },
    quantile(q) {
      const size = Math.min(added, capacity);
      if (size === 0) return null;
      const sorted = ring.slice(0, size).sort();
      return sorted[Math.min(size - 1, Math.max(0, Math.ceil(q * size) - 1))] ?? null;
    },
  };
}
