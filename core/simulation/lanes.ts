/** Environments that a target starts when they are needed, and that grow cold: of the free ones the warmest is taken. */
export interface Lanes {
  /** @returns a free lane, the one used last. There must be one. */
  take(): number;
  isWarm(lane: number, now: number): boolean;
  release(lane: number, now: number): void;
}

export function createLanes(count: number, coldAfterMs: number): Lanes {
  /** Those used before, the one used last at the end: with it the time. */
  const used: { readonly lane: number; readonly at: number }[] = [];
  const lastUsed = new Map<number, number>();
  let fresh = 0;
  return {
    take() {
      const warmest = used.pop();
      if (warmest !== undefined) return warmest.lane;
      if (fresh === count) throw new RangeError(`lanes: all ${count} are busy`);
      return fresh++;
    },
    isWarm: (lane, now) => now - (lastUsed.get(lane) ?? -Infinity) <= coldAfterMs,
    release(lane, now) {
      used.push({ lane, at: now });
      lastUsed.set(lane, now);
    },
  };
}
