/** The items of a `map` job. */
import type { MapSpec } from '../contracts/fan-out.ts';
import { Fault } from '../errors.ts';
import { getBlob } from '../storage/blobs.ts';
import type { ObjectStore } from '../storage/object-store.ts';

/** Bytes of a blob of items: what any function holds in memory, many times over as values. */
export const MAX_ITEM_BYTES = 64 * 1024 * 1024;

export function itemsOf(store: ObjectStore, { items }: MapSpec): Promise<readonly unknown[]> {
  return 'blob' in items ? blobItems(store, items.blob) : Promise.resolve(items);
}

/** @throws Fault `unprocessable`, field `items.blob`, naming the line that is no JSON. Empty lines are no items. */
export async function blobItems(store: ObjectStore, blob: string): Promise<readonly unknown[]> {
  const text = new TextDecoder().decode(await getBlob(store, blob));
  const items: unknown[] = [];
  for (const [at, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    try {
      items.push(JSON.parse(line));
    } catch (cause) {
      const field = 'items.blob';
      throw new Fault('unprocessable', `${field}: line ${at + 1} is not JSON`, { field, cause });
    }
  }
  if (items.length === 0)
    throw new Fault('unprocessable', 'items.blob: it has no items', { field: 'items.blob' });
  return items;
}
