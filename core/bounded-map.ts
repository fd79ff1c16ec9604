/**
 * A map that forgets what was used least recently, for what clients name and what a warm function keeps: neither may
 * fill the memory.
 */
export interface BoundedMap<T> {
  /** Counts as use. */
  get(key: string): T | undefined;
  /** Counts as use. */
  set(key: string, value: T): void;
  delete(key: string): void;
}

export interface BoundedMapOptions<T> {
  /** What a value counts for; default 1. */
  readonly sizeOf?: (value: T) => number;
  /** Called with what made room for another; not with what was replaced or deleted. */
  readonly forgotten?: (value: T) => void;
}

/** @param limit of the sizes together; what is larger by itself is not kept */
export function boundedMap<T>(
  limit: number,
  { sizeOf = () => 1, forgotten }: BoundedMapOptions<T> = {},
): BoundedMap<T> {
  /** Least recently used first: JavaScript's Map keeps the order of insertion. */
  const entries = new Map<string, { readonly value: T; readonly size: number }>();
  let held = 0;

  function remove(key: string): void {
    held -= entries.get(key)?.size ?? 0;
    entries.delete(key);
  }

  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      return entry.value;
    },
    set(key, value) {
      remove(key);
      const size = sizeOf(value);
      if (size > limit) return;
      entries.set(key, { value, size });
      held += size;
      for (const [oldest, entry] of entries) {
        if (held <= limit) break;
        remove(oldest);
        forgotten?.(entry.value);
      }
    },
    delete: remove,
  };
}
