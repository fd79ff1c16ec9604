import type { Columns } from '../../core/datasets/columns.ts';
import type { ShardCache } from '../../core/datasets/read.ts';
import type { Cache } from './context.ts';

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

/** Keeps decoded dataset shards up to `capacity` bytes, most recently used first. */
export function shardCache(capacity: number): ShardCache {
  const entries = new Map<string, { shard: Columns; bytes: number }>();
  let held = 0;
  return {
    get(sha256) {
      const entry = entries.get(sha256);
      if (entry === undefined) return undefined;
      entries.delete(sha256);
      entries.set(sha256, entry);
      return entry.shard;
    },
    set(sha256, shard, bytes) {
      if (bytes > capacity || entries.has(sha256)) return;
      entries.set(sha256, { shard, bytes });
      held += bytes;
      for (const [oldest, entry] of entries) {
        if (held <= capacity) break;
        entries.delete(oldest);
        held -= entry.bytes;
      }
    },
  };
}
