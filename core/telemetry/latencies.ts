/**
 * What requests took lately at about the load there is now: what Prequal's probes are told (Wydrowski et al. 2024,
 * arXiv:2312.10172, §4).
 */

/** Latencies kept, those of them that the median is of, and milliseconds that one is recent. */
const KEPT = 64;
const NEAREST = 9;
const RECENT_MS = 2_000;

export interface Latencies {
  /** @param found requests that were there when it came @param ms that it took @param now milliseconds */
  add(found: number, ms: number, now: number): void;
  /**
   * The median, milliseconds, of those at about the load there is. Without recent ones 0, so that it is asked again:
   * otherwise what it took under load would keep everybody from an idle target for ever.
   */
  at(inFlight: number, now: number): number;
}

export function createLatencies(): Latencies {
  /** The oldest first. */
  const kept: { readonly found: number; readonly ms: number; readonly at: number }[] = [];
  return {
    add(found, ms, now) {
      kept.push({ found, ms, at: now });
      if (kept.length > KEPT) kept.shift();
    },
    at(inFlight, now) {
      const distance = (each: { readonly found: number }) => Math.abs(each.found - inFlight);
      const recent = kept.filter(({ at }) => now - at < RECENT_MS);
      const nearest = recent.sort((a, b) => distance(a) - distance(b)).slice(0, NEAREST);
      const sorted = nearest.map(({ ms }) => ms).sort((a, b) => a - b);
      return sorted[sorted.length >> 1] ?? 0;
    },
  };
}
