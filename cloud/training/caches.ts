import { boundedMap } from '../../core/bounded-map.ts';
import type { Columns } from '../../core/datasets/columns.ts';
import type { ShardCache } from '../../core/datasets/read.ts';
import type { Cache, SizedCache } from './context.ts';

/** Keeps the most recently used `capacity` entries. */
export const recent = <T>(capacity: number, evicted?: (value: T) => void): Cache<T> =>
  boundedMap<T>(capacity, evicted && { forgotten: evicted });

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
  const entries = boundedMap<{ readonly value: T; readonly bytes: number }>(capacity, {
    sizeOf: ({ bytes }) => bytes,
  });
  return {
    get: (key) => entries.get(key)?.value,
    set: (key, value, bytes) => entries.set(key, { value, bytes }),
  };
}
