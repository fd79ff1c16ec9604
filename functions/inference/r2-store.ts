/** {@link ObjectStore} over an R2 binding. Types are imported, not ambient, so that Node's tests can drive it too. */
import type { R2Bucket, R2Object, R2ObjectBody, R2Range } from '@cloudflare/workers-types';
import { Fault, messageOf } from '../../core/errors.ts';
import { outsideRange, storeFault } from '../../core/storage/faults.ts';
import type {
  ByteRange,
  ObjectInfo,
  ObjectStore,
  PutCondition,
  StoredObject,
} from '../../core/storage/object-store.ts';

/**
 * An object name that is not valid: R2 puts its error code in parentheses at the end of the message. All others are the
 * service's or the network's.
 */
const INVALID_NAME = /\(10020\)\s*$/;

const info = ({ key, size, etag, uploaded, customMetadata = {} }: R2Object): ObjectInfo => ({
  key,
  size,
  etag,
  modifiedAt: uploaded,
  ...(Object.keys(customMetadata).length === 0 ? {} : { metadata: customMetadata }),
});

/** Classifies what the binding throws, the body's stream included. */
async function guarded<T>(operation: string, key: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    const detail = `R2 ${operation} ${key}`;
    if (!INVALID_NAME.test(messageOf(cause))) throw storeFault('unavailable', detail, cause);
    throw new Fault('invalid', 'no object can have such a name', { detail, cause });
  }
}

/** @throws Fault `invalid` for a range that no object can satisfy */
function r2Range(key: string, range: ByteRange): R2Range {
  const { start, end } = range;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end <= start)
    throw outsideRange(key, range);
  return { offset: start, length: end - start };
}

/** R2 shortens a range that runs over the end, and miniflare's has no code for one that starts there: ask the size. */
async function getRange(bucket: R2Bucket, key: string, range: ByteRange): Promise<R2ObjectBody | null> {
  const asked = r2Range(key, range);
  let object: R2ObjectBody | null;
  try {
    object = await bucket.get(key, { range: asked });
  } catch (thrown) {
    const size = (await bucket.head(key))?.size;
    throw size !== undefined && range.end > size ? outsideRange(key, range, size) : thrown;
  }
  if (object === null || range.end <= object.size) return object;
  await object.body.cancel();
  throw outsideRange(key, range, object.size);
}

/** The binding takes `*` for "no object at all", as RFC 9110 section 13.1.2 does in If-None-Match. */
const onlyIf = (condition: PutCondition) =>
  condition === 'create' ? { etagDoesNotMatch: '*' } : { etagMatches: condition.match };

export function r2Store(bucket: R2Bucket): ObjectStore {
  return {
    get: (key, { range } = {}) =>
      guarded('get', key, async (): Promise<StoredObject | undefined> => {
        const object = range === undefined ? await bucket.get(key) : await getRange(bucket, key, range);
        return object === null
          ? undefined
          : { ...info(object), body: new Uint8Array(await object.arrayBuffer()) };
      }),

    head: (key) =>
      guarded('head', key, async () => {
        const object = await bucket.head(key);
        return object === null ? undefined : info(object);
      }),

    put: (key, body, { condition, contentType, metadata } = {}) =>
      guarded('put', key, async () => {
        const object: R2Object | null = await bucket.put(key, body, {
          ...(contentType === undefined ? {} : { httpMetadata: { contentType } }),
          ...(metadata === undefined ? {} : { customMetadata: { ...metadata } }),
          ...(condition === undefined ? {} : { onlyIf: onlyIf(condition) }),
        });
        return object === null ? { kind: 'refused' } : { kind: 'written', etag: object.etag };
      }),

    delete: (key) => guarded('delete', key, () => bucket.delete(key)),

    list: (prefix, { cursor, limit } = {}) =>
      guarded('list', prefix, async () => {
        const page = await bucket.list({
          prefix,
          limit: limit ?? 1000,
          ...(cursor === undefined ? {} : { cursor }),
        });
        return {
          objects: page.objects.map(info),
          ...(page.truncated ? { cursor: page.cursor } : {}),
        };
      }),
  };
}
