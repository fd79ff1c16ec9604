/** The whole {@link ObjectStore} in memory, for unit tests; test/contract holds the real ones to the same meaning. */
import { Fault } from '../../core/errors.ts';
import type { ObjectInfo, ObjectStore, PutCondition } from '../../core/storage/object-store.ts';

export interface MemoryStore extends ObjectStore {
  /** How often each operation was called. */
  readonly calls: Readonly<Record<keyof ObjectStore, number>>;
  /** Runs before every operation; throw from it to have the operation fail, await in it to delay it. */
  before: (operation: keyof ObjectStore, key: string) => void | Promise<void>;
  /** Overwrites or creates an object behind the store's back. */
  tamper(key: string, body: Uint8Array): void;
}

interface Entry {
  readonly info: ObjectInfo;
  readonly body: Uint8Array<ArrayBuffer>;
}

const encoder = new TextEncoder();

/** UTF-8 order: JavaScript's own comparison goes by UTF-16 unit and differs above U+FFFF. */
function compareUtf8(a: string, b: string): number {
  const [left, right] = [encoder.encode(a), encoder.encode(b)];
  for (let i = 0; i < Math.min(left.length, right.length); i++)
    if (left[i] !== right[i]) return left[i]! - right[i]!;
  return left.length - right.length;
}

/** @param now Unix time in milliseconds, for `modifiedAt` */
export function memoryStore(now: () => number = Date.now): MemoryStore {
  const entries = new Map<string, Entry>();
  const calls = { get: 0, head: 0, put: 0, delete: 0, list: 0 };
  let writes = 0;

  const write = (key: string, body: Uint8Array, metadata?: Readonly<Record<string, string>>): string => {
    const etag = `etag-${++writes}`;
    const copy = new Uint8Array(body);
    const info: ObjectInfo = { key, size: copy.length, etag, modifiedAt: new Date(now()) };
    entries.set(key, { info: metadata === undefined ? info : { ...info, metadata }, body: copy });
    return etag;
  };
  const holds = (key: string, condition: PutCondition | undefined): boolean => {
    if (condition === undefined) return true;
    const etag = entries.get(key)?.info.etag;
    return condition === 'create' ? etag === undefined : etag === condition.match;
  };
  const enter = async (operation: keyof ObjectStore, key: string) => {
    calls[operation] += 1;
    await store.before(operation, key);
  };

  const store: MemoryStore = {
    calls,
    before: () => undefined,
    tamper: (key, body) => void write(key, body),
    async get(key, { range } = {}) {
      await enter('get', key);
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      const { start, end } = range ?? { start: 0, end: entry.body.length };
      if (range !== undefined && !(start >= 0 && start < end && end <= entry.body.length))
        throw new Fault(
          'invalid',
          `range [${start}, ${end}) is not inside ${key} of ${entry.body.length} bytes`,
          {
            field: 'range',
          },
        );
      return { ...entry.info, body: entry.body.slice(start, end) };
    },
    async head(key) {
      await enter('head', key);
      return entries.get(key)?.info;
    },
    async put(key, body, { condition, metadata } = {}) {
      await enter('put', key);
      // The check and the write are one step, as the services promise: nothing is awaited in between.
      if (!holds(key, condition)) return { kind: 'refused' };
      return { kind: 'written', etag: write(key, body, metadata) };
    },
    async delete(key) {
      await enter('delete', key);
      entries.delete(key);
    },
    async list(prefix, { cursor, limit = 1000 } = {}) {
      await enter('list', prefix);
      const keys = [...entries.keys()]
        .filter((key) => key.startsWith(prefix) && (cursor === undefined || compareUtf8(key, cursor) > 0))
        .sort(compareUtf8);
      const page = keys.slice(0, limit);
      const last = page.at(-1);
      return {
        objects: page.map((key) => {
          const { metadata: _metadata, ...info } = entries.get(key)!.info;
          return info;
        }),
        ...(last === undefined || page.length === keys.length ? {} : { cursor: last }),
      };
    },
  };
  return store;
}
