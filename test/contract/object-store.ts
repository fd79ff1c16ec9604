/** What every ObjectStore must do, whatever service is behind it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { append, headOf } from '../../core/storage/sequence.ts';
import { getBlob, putBlob, sha256Hex } from '../../core/storage/blobs.ts';
import type { ObjectInfo, ObjectStore } from '../../core/storage/object-store.ts';

export interface StoreUnderTest {
  readonly store: ObjectStore;
  close(): Promise<void>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const bytes = (text: string) => encoder.encode(text);
const WRITERS = 32;
const LARGE_BYTES = 40 * 1024 * 1024;

/** Bytes that no codec shortens and no two offsets share. */
function pattern(length: number): Uint8Array<ArrayBuffer> {
  const made = new Uint8Array(length);
  let state = 1;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    made[index] = state >>> 24;
  }
  return made;
}

async function text(store: ObjectStore, key: string): Promise<string | undefined> {
  const object = await store.get(key);
  return object === undefined ? undefined : decoder.decode(object.body);
}

async function etagOf(store: ObjectStore, key: string): Promise<string> {
  const info = await store.head(key);
  if (info === undefined) throw new Error(`${key} is missing`);
  return info.etag;
}

async function listAll(store: ObjectStore, prefix: string, limit?: number) {
  const pages: (readonly ObjectInfo[])[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.list(prefix, {
      ...(cursor === undefined ? {} : { cursor }),
      ...(limit === undefined ? {} : { limit }),
    });
    pages.push(page.objects);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return pages;
}

/** Ascending UTF-8 order, which differs from JavaScript's own where there are surrogate pairs. */
const utf8Order = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

export function objectStoreContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`ObjectStore: ${name}`, () => {
    let subject: StoreUnderTest;
    let store: ObjectStore;
    let next = 0;
    /** A folder nobody else uses. */
    const fresh = () => `contract/${Date.now().toString(36)}-${next++}/`;
    beforeAll(async () => {
      subject = await open();
      store = subject.store;
    });
    afterAll(() => subject.close());

    describe('put, get, head, delete', () => {
      it('gives back what was put', async () => {
        const key = `${fresh()}object`;
        const before = Date.now();
        const put = await store.put(key, bytes('hello'), { contentType: 'text/plain' });
        const got = await store.get(key);
        const head = await store.head(key);
        expect(put).toMatchObject({ kind: 'written' });
        expect(got).toMatchObject({ key, size: 5, body: bytes('hello') });
        expect(head).toEqual({ key, size: 5, etag: got?.etag, modifiedAt: got?.modifiedAt });
        // Whole seconds, and the clocks of two machines.
        expect(Math.abs((got?.modifiedAt.getTime() ?? 0) - before)).toBeLessThan(10_000);
      });

      it('keeps metadata, and tells it without the body', async () => {
        const key = `${fresh()}object`;
        const metadata = { meter: '{"seconds":1.5,"of":"a b"}', other: 'x' };
        await store.put(key, bytes('hello'), { metadata, condition: 'create' });
        expect((await store.head(key))?.metadata).toMatchObject(metadata);
        expect((await store.get(key))?.metadata).toMatchObject(metadata);
        const other = await store.put(key, bytes('other'), { metadata: { other: 'y' }, condition: 'create' });
        expect(other).toEqual({ kind: 'refused' });
        expect((await store.head(key))?.metadata).toMatchObject(metadata);
      });

      it('sees its own writes at once', async () => {
        const key = `${fresh()}object`;
        for (const version of ['one', 'two', 'three']) {
          await store.put(key, bytes(version));
          expect(await text(store, key)).toBe(version);
        }
      });

      it('keeps an empty body', async () => {
        const key = `${fresh()}empty`;
        await store.put(key, new Uint8Array());
        expect(await store.get(key)).toMatchObject({ size: 0, body: new Uint8Array() });
        expect(await store.head(key)).toMatchObject({ size: 0 });
      });

      it('takes a view into a larger buffer for what it shows', async () => {
        const key = `${fresh()}view`;
        await store.put(key, bytes('abcdef').subarray(2, 4));
        expect(await text(store, key)).toBe('cd');
      });

      it('knows no missing key', async () => {
        const key = `${fresh()}missing`;
        expect(await store.get(key)).toBeUndefined();
        expect(await store.get(key, { range: { start: 0, end: 1 } })).toBeUndefined();
        expect(await store.head(key)).toBeUndefined();
      });

      it('deletes, and a second time without complaint', async () => {
        const key = `${fresh()}object`;
        await store.put(key, bytes('x'));
        await store.delete(key);
        expect(await store.head(key)).toBeUndefined();
        await store.delete(key);
      });

      it(`carries ${LARGE_BYTES} bytes unchanged`, async () => {
        const body = pattern(LARGE_BYTES);
        const sha256 = await putBlob(store, body);
        expect(sha256).toBe(await sha256Hex(body));
        expect((await getBlob(store, sha256)).length).toBe(LARGE_BYTES);
        const range = { start: LARGE_BYTES - 1_000, end: LARGE_BYTES };
        const tail = await store.get(`blobs/sha256/${sha256}`, { range });
        expect(tail?.body).toEqual(body.subarray(range.start));
        await store.delete(`blobs/sha256/${sha256}`);
      });
    });

    describe('keys', () => {
      it.each([
        'plain.json',
        'with space',
        'plus+sign',
        'per%20cent',
        'question?mark&hash#',
        'ключ/ü/日本/🚀',
        "quote'()*!",
        '~tilde-_.',
        'a//b',
        'trailing/',
        '<xml>&"',
      ])('%s', async (suffix) => {
        const folder = fresh();
        const key = folder + suffix;
        await store.put(key, bytes(suffix));
        expect(await text(store, key)).toBe(suffix);
        expect((await store.head(key))?.key).toBe(key);
        expect((await store.list(folder)).objects.map((object) => object.key)).toEqual([key]);
        await store.delete(key);
        expect(await store.head(key)).toBeUndefined();
      });
    });

    describe('create-only', () => {
      it('refuses a second put and leaves the first', async () => {
        const key = `${fresh()}object`;
        const first = await store.put(key, bytes('first'), { condition: 'create' });
        const second = await store.put(key, bytes('second'), { condition: 'create' });
        expect(first).toMatchObject({ kind: 'written' });
        expect(second).toEqual({ kind: 'refused' });
        expect(await text(store, key)).toBe('first');
      });

      it('can create again what was deleted', async () => {
        const key = `${fresh()}object`;
        await store.put(key, bytes('first'), { condition: 'create' });
        await store.delete(key);
        expect(await store.put(key, bytes('second'), { condition: 'create' })).toMatchObject({
          kind: 'written',
        });
      });

      it(`lets exactly one of ${WRITERS} writers win, and keeps that one's body`, async () => {
        const key = `${fresh()}race`;
        const outcomes = await Promise.all(
          Array.from({ length: WRITERS }, (_, writer) =>
            store.put(key, bytes(`writer ${writer}`), { condition: 'create' }),
          ),
        );
        const winners = outcomes.flatMap(({ kind }, writer) => (kind === 'written' ? [writer] : []));
        expect(winners).toHaveLength(1);
        expect(await text(store, key)).toBe(`writer ${winners[0]}`);
      });

      it('numbers a sequence without gaps or duplicates under contention', async () => {
        const folder = fresh();
        const keyOf = (n: number) => `${folder}${n}.json`;
        const numbers = await Promise.all(
          Array.from({ length: 8 }, (_, writer) => append(store, keyOf, (n) => ({ n, writer }))),
        );
        expect([...numbers].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
        expect(await headOf(store, keyOf)).toBe(8);
      });
    });

    describe('compare-and-swap', () => {
      it('writes over the etag it was given, by get, head, put or list', async () => {
        const folder = fresh();
        const key = `${folder}object`;
        const etags: (() => Promise<string | undefined>)[] = [
          async () => (await store.get(key))?.etag,
          async () => (await store.head(key))?.etag,
          async () => (await store.list(folder)).objects[0]?.etag,
          async () => {
            const put = await store.put(key, bytes('by put'));
            return put.kind === 'written' ? put.etag : undefined;
          },
        ];
        await store.put(key, bytes('start'));
        for (const [index, etag] of etags.entries()) {
          const match = (await etag()) ?? '';
          expect(await store.put(key, bytes(`swap ${index}`), { condition: { match } })).toMatchObject({
            kind: 'written',
          });
          expect(await text(store, key)).toBe(`swap ${index}`);
        }
      });

      it('refuses a stale etag and leaves the body', async () => {
        const key = `${fresh()}object`;
        await store.put(key, bytes('old'));
        const match = await etagOf(store, key);
        await store.put(key, bytes('new'));
        expect(await store.put(key, bytes('lost'), { condition: { match } })).toEqual({ kind: 'refused' });
        expect(await text(store, key)).toBe('new');
      });

      it('refuses where there is no object at all', async () => {
        const key = `${fresh()}missing`;
        const match = '00000000000000000000000000000000';
        expect(await store.put(key, bytes('x'), { condition: { match } })).toEqual({ kind: 'refused' });
        expect(await store.head(key)).toBeUndefined();
      });

      it(`lets exactly one of ${WRITERS} writers win`, async () => {
        const key = `${fresh()}race`;
        await store.put(key, bytes('base'));
        const match = await etagOf(store, key);
        const outcomes = await Promise.all(
          Array.from({ length: WRITERS }, (_, writer) =>
            store.put(key, bytes(`writer ${writer}`), { condition: { match } }),
          ),
        );
        const winners = outcomes.flatMap(({ kind }, writer) => (kind === 'written' ? [writer] : []));
        expect(winners).toHaveLength(1);
        expect(await text(store, key)).toBe(`writer ${winners[0]}`);
      });

      it('counts without losing an update', async () => {
        const key = `${fresh()}counter`;
        await store.put(key, bytes('0'));
        const increment = async () => {
          for (;;) {
            const object = await store.get(key);
            const value = Number(decoder.decode(object?.body)) + 1;
            const put = await store.put(key, bytes(String(value)), {
              condition: { match: object?.etag ?? '' },
            });
            if (put.kind === 'written') return;
          }
        };
        const worker = async () => {
          for (let round = 0; round < 10; round++) await increment();
        };
        await Promise.all(Array.from({ length: 4 }, worker));
        expect(await text(store, key)).toBe('40');
      });
    });

    describe('ranges', () => {
      const range = (start: number, end: number) => ({ range: { start, end } });

      it.each([
        [0, 10, '0123456789'],
        [0, 1, '0'],
        [3, 7, '3456'],
        [9, 10, '9'],
      ])('[%i, %i) is %s, and the size is the whole object’s', async (start, end, expected) => {
        const key = `${fresh()}object`;
        await store.put(key, bytes('0123456789'));
        const got = await store.get(key, range(start, end));
        expect(got).toMatchObject({ size: 10, body: bytes(expected) });
      });

      it.each([
        [0, 11],
        [9, 11],
        [10, 11],
        [50, 60],
        [5, 5],
        [5, 4],
        [-1, 4],
        [0.5, 4],
        [0, Number.NaN],
      ])('[%d, %d) of ten bytes is a fault that names the range', async (start, end) => {
        const key = `${fresh()}object`;
        await store.put(key, bytes('0123456789'));
        await expect(store.get(key, range(start, end))).rejects.toMatchObject({
          name: 'Fault',
          code: 'invalid',
          field: 'range',
        });
      });
    });

    describe('list', () => {
      it('pages through all keys under a prefix, in ascending UTF-8 order', async () => {
        const folder = fresh();
        const suffixes = ['b', 'a', 'a/b', 'a b', 'a-b', 'Z', 'é', '\u{ffee}', '🚀', 'a+b', '10', '9'];
        const keys = suffixes.map((suffix) => folder + suffix);
        await Promise.all(keys.map((key) => store.put(key, bytes(key))));
        await store.put(`${folder.slice(0, -1)}-beside`, bytes('not below the folder'));
        const pages = await listAll(store, folder, 5);
        const listed = pages.flat();
        expect(pages.map((page) => page.length)).toEqual([5, 5, 2]);
        expect(listed.map(({ key }) => key)).toEqual(keys.sort(utf8Order));
        expect(listed.map(({ size }) => size)).toEqual(keys.map((key) => bytes(key).length));
        expect(listed[0]?.etag).toBe(await etagOf(store, listed[0]?.key ?? ''));
      });

      it('goes beyond one page of 1,000', async () => {
        const folder = fresh();
        const keys = Array.from(
          { length: 1_003 },
          (_, index) => `${folder}${String(index).padStart(5, '0')}`,
        );
        for (let start = 0; start < keys.length; start += 50) {
          await Promise.all(keys.slice(start, start + 50).map((key) => store.put(key, bytes('x'))));
        }
        const pages = await listAll(store, folder);
        expect(pages.map((page) => page.length)).toEqual([1_000, 3]);
        expect(pages.flat().map(({ key }) => key)).toEqual(keys);
      });

      it('is empty without a cursor where nothing is', async () => {
        expect(await store.list(fresh())).toEqual({ objects: [] });
      });

      it('ends without a cursor where the last page is full', async () => {
        const folder = fresh();
        await Promise.all(['a', 'b'].map((suffix) => store.put(folder + suffix, bytes('x'))));
        const page = await store.list(folder, { limit: 2 });
        expect(page.objects).toHaveLength(2);
        expect(page.cursor).toBeUndefined();
      });
    });
  });
}
