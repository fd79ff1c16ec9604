import type { Columns } from '../../core/datasets/columns.ts';
import type { ShardCache } from '../../core/datasets/read.ts';
import type { Cache, SizedCache } from './context.ts';

/** Keeps the most recently used `capacity` entries. */
export function recent<T>(capacity: number, evicted: (value: T) => void = () => {}): Cache<T> {
  const entries = new Map<string, T>();
  return {
    get(key) {
      const value = entries.get(key);
      if (value !== undefined) {
        entries.delete(key);
        entries.set(key, value);
      }
      return value;
    },
    set(key, value) {
      entries.delete(key);
      entries.set(key, value);
      for (const [oldest, old] of entries) {
        if (entries.size <= capacity) break;
        entries.delete(oldest);
        evicted(old);
      }
    },
    delete: (key) => void entries.delete(key),
  };
}

/**
 * What is cached under a key, loaded by the first who asks; whoever asks meanwhile waits for the same. A load that fails
 * is forgotten: the next to ask tries again, and a fault of a moment does not stay with the warm function.
 */
export function loadOnce<T>(cache: Cache<Promise<T>>, key: string, load: () => Promise<T>): Promise<T> {
  const known = cache.get(key);
  if (known !== undefined) return known;
  const loading = load().catch((thrown: unknown) => {
    if (cache.get(key) === loading) cache.delete(key);
    throw thrown;
  });
  cache.set(key, loading);
  return loading;
}

/** Decoded dataset shards, by SHA-256. */
export const shardCache = (capacity: number): ShardCache => sized<Columns>(capacity);

/** Keeps what never changes under its key, up to `capacity` bytes, most recently used first. */
export function sized<T>(capacity: number): SizedCache<T> {
  const entries = new Map<string, { value: T; bytes: number }>();
  let held = 0;
  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      return entry.value;
    },
    set(key, value, bytes) {
      if (bytes > capacity || entries.has(key)) return;
      entries.set(key, { value, bytes });
      held += bytes;
      for (const [oldest, entry] of entries) {
        if (held <= capacity) break;
        entries.delete(oldest);
        held -= entry.bytes;
      }
    },
  };
}
