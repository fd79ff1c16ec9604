/** A store over another: what is written stays in memory, and what was read once is not asked for again. */
import type { ObjectStore, StoredObject } from '../../../core/storage/object-store.ts';

export function overlay(below: ObjectStore): ObjectStore {
  const objects = new Map<string, StoredObject>();
  const deleted = new Set<string>();
  let writes = 0;
  const get = async (key: string): Promise<StoredObject | undefined> => {
    const known = objects.get(key);
    if (known !== undefined || deleted.has(key)) return known;
    const read = await below.get(key);
    if (read !== undefined) objects.set(key, read);
    return read;
  };
  return {
    async get(key, { range } = {}) {
      const object = await get(key);
      if (object === undefined || range === undefined) return object;
      return { ...object, body: object.body.slice(range.start, range.end) };
    },
    head: get,
    async put(key, body, { condition, metadata } = {}) {
      const before = condition === undefined ? undefined : await get(key);
      const holds =
        condition === 'create'
          ? before === undefined
          : condition === undefined || before?.etag === condition.match;
      if (!holds) return { kind: 'refused' };
      writes += 1;
      const etag = `overlay-${writes}`;
      const copy = new Uint8Array(body);
      deleted.delete(key);
      objects.set(key, {
        key,
        size: copy.length,
        etag,
        modifiedAt: new Date(0),
        ...(metadata === undefined ? {} : { metadata }),
        body: copy,
      });
      return { kind: 'written', etag };
    },
    async delete(key) {
      await Promise.resolve();
      objects.delete(key);
      deleted.add(key);
    },
    list: (prefix, options) => below.list(prefix, options),
  };
}
