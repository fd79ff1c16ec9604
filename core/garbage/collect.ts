/**
 * Removes what nothing refers to. What was written within the grace period stays: somebody may be about to name it.
 */
import type { ObjectStore } from '../storage/object-store.ts';
import { whatIs } from './layout.ts';
import { emptyMemory, type Judged, survey } from './survey.ts';

/** Objects removed between two looks at what is named. */
const REMOVED_AT_ONCE = 500;
const DELETES_AT_ONCE = 16;

export interface CollectOptions {
  /** Unix time, milliseconds. */
  readonly now: number;
  /** Milliseconds since its last write that an object is left alone. */
  readonly olderThanMs: number;
  readonly dryRun?: boolean;
  readonly onProgress?: (removed: number, of: number) => void;
}

export interface Tally {
  objects: number;
  bytes: number;
}

export interface Collected {
  /** By kind of object, in the order of keys. */
  readonly kinds: ReadonlyMap<
    string,
    { readonly kept: Tally; readonly young: Tally; readonly garbage: Tally }
  >;
  /** What was removed; in a dry run, what would be. */
  readonly garbage: readonly { readonly key: string; readonly bytes: number; readonly reason: string }[];
}

export async function collectGarbage(store: ObjectStore, options: CollectOptions): Promise<Collected> {
  const { now, olderThanMs, dryRun = false, onProgress } = options;
  const memory = emptyMemory();
  const isOld = ({ object }: Judged) => now - object.modifiedAt.getTime() >= olderThanMs;
  const first = await survey(store, memory);
  const garbage = (of: readonly Judged[]) => of.filter((judged) => !judged.keep && isOld(judged));
  const victims = garbage(first);
  if (dryRun) return report(first, victims, isOld);

  /** What was put again since the look is spared: see core/storage/refresh.ts. */
  async function remove(judged: Judged): Promise<boolean> {
    const object = await store.head(judged.object.key);
    if (object === undefined || !isOld({ ...judged, object })) return false;
    await store.delete(object.key);
    return true;
  }
  const removed: Judged[] = [];
  const doomed = new Set(victims.map(({ object }) => object.key));
  while (doomed.size > 0) {
    // What was named since is spared: this look reads only what is new, so that little time passes before the removal.
    const batch = garbage(await survey(store, memory))
      .filter(({ object }) => doomed.has(object.key))
      .slice(0, REMOVED_AT_ONCE);
    if (batch.length === 0) break;
    for (let start = 0; start < batch.length; start += DELETES_AT_ONCE) {
      const some = batch.slice(start, start + DELETES_AT_ONCE);
      const gone = await Promise.all(some.map(remove));
      for (const judged of some) doomed.delete(judged.object.key);
      removed.push(...some.filter((_, i) => gone[i]));
      onProgress?.(removed.length, victims.length);
    }
  }
  return report(first, removed, isOld);
}

function report(all: readonly Judged[], taken: readonly Judged[], isOld: (of: Judged) => boolean): Collected {
  const kinds = new Map<string, { kept: Tally; young: Tally; garbage: Tally }>();
  const takenKeys = new Set(taken.map(({ object }) => object.key));
  for (const judged of all) {
    const { object, keep } = judged;
    const what = whatIs(object.key);
    const kind = kinds.get(what) ?? { kept: none(), young: none(), garbage: none() };
    kinds.set(what, kind);
    const tally = takenKeys.has(object.key) ? kind.garbage : keep || isOld(judged) ? kind.kept : kind.young;
    tally.objects += 1;
    tally.bytes += object.size;
  }
  return {
    kinds,
    garbage: taken.map(({ object, reason }) => ({ key: object.key, bytes: object.size, reason })),
  };
}

const none = (): Tally => ({ objects: 0, bytes: 0 });
