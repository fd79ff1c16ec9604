/**
 * A blob that is put again is as if it had been written now. Otherwise a writer that finds its bytes there already, written
 * long ago and named by nobody since, would name what the garbage collector is about to remove. (Git does the same to
 * loose objects it would have written: gc.pruneExpire.)
 */
import { blobKey } from '../contracts/keys.ts';
import type { ObjectStore } from './object-store.ts';

/** Half of the collector's default grace period. */
export const REFRESH_AFTER_MS = 12 * 3_600_000;
/** Each loss means that somebody else refreshed or removed it in that moment. */
const ATTEMPTS = 4;

const BLOBS = blobKey('');

/** @param now Unix time, milliseconds */
export function refreshing(store: ObjectStore, now: () => number): ObjectStore {
  return {
    get: (key, options) => store.get(key, options),
    head: (key) => store.head(key),
    delete: (key) => store.delete(key),
    list: (prefix, options) => store.list(prefix, options),
    async put(key, body, options = {}) {
      let outcome = await store.put(key, body, options);
      if (options.condition !== 'create' || !key.startsWith(BLOBS)) return outcome;
      for (let attempt = 0; outcome.kind === 'refused' && attempt < ATTEMPTS; attempt++) {
        const there = await store.head(key);
        if (there !== undefined && now() - there.modifiedAt.getTime() < REFRESH_AFTER_MS) break;
        const condition = there === undefined ? 'create' : { match: there.etag };
        outcome = await store.put(key, body, { ...options, condition });
      }
      return outcome;
    },
  };
}
