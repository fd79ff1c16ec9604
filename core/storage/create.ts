/** Of several that would create an object the first one does, and the others take what it wrote. */
import { storeFault } from './faults.ts';
import type { ObjectStore, PutOptions, StoredObject } from './object-store.ts';

/** @returns undefined where the object is new, otherwise what was there. @throws Fault `unavailable` where it went again */
export async function createOrGet(
  store: ObjectStore,
  key: string,
  body: Uint8Array,
  options: Omit<PutOptions, 'condition'> = {},
): Promise<StoredObject | undefined> {
  if ((await store.put(key, body, { ...options, condition: 'create' })).kind === 'written') return undefined;
  const first = await store.get(key);
  if (first === undefined) throw storeFault('unavailable', `${key} was refused but cannot be read`);
  return first;
}
