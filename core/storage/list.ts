/** Listings beyond one page. */
import type { ObjectInfo, ObjectStore } from './object-store.ts';

/** Everything under a prefix, in the order of keys, page after page. */
export async function* eachObject(store: ObjectStore, prefix: string): AsyncGenerator<ObjectInfo> {
  let cursor: string | undefined;
  do {
    const page = await store.list(prefix, cursor === undefined ? {} : { cursor });
    yield* page.objects;
    cursor = page.cursor;
  } while (cursor !== undefined);
}

/** The same at once. */
export async function listAll(store: ObjectStore, prefix: string): Promise<ObjectInfo[]> {
  const objects: ObjectInfo[] = [];
  for await (const object of eachObject(store, prefix)) objects.push(object);
  return objects;
}
