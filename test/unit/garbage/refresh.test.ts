import { expect, test } from 'vitest';
import { blobKey, jobSpecKey } from '../../../core/contracts/keys.ts';
import { collectGarbage } from '../../../core/garbage/collect.ts';
import { putBlob, sha256Hex } from '../../../core/storage/blobs.ts';
import { REFRESH_AFTER_MS, refreshing } from '../../../core/storage/refresh.ts';
import { memoryStore } from '../memory-store.ts';

const BYTES = Uint8Array.of(1, 2, 3);
const DAY_MS = 86_400_000;

async function world() {
  const clock = { now: 1_000_000_000_000 };
  const store = memoryStore(() => clock.now);
  const key = blobKey(await sha256Hex(BYTES));
  return { clock, store, key, fresh: refreshing(store, () => clock.now) };
}

test('a blob put again after long is young again; one put again soon is left alone', async () => {
  const { clock, store, key, fresh } = await world();
  await putBlob(fresh, BYTES);
  const written = clock.now;
  clock.now += REFRESH_AFTER_MS - 1;
  await putBlob(fresh, BYTES);
  expect((await store.head(key))?.modifiedAt.getTime()).toBe(written);
  clock.now += 1;
  await putBlob(fresh, BYTES);
  expect((await store.head(key))?.modifiedAt.getTime()).toBe(clock.now);
  expect((await store.get(key))?.body).toEqual(BYTES);
});

test('one that is removed just then is written', async () => {
  const { store, key, fresh } = await world();
  await putBlob(fresh, BYTES);
  store.before = async (operation) => {
    store.before = () => undefined;
    if (operation !== 'put') return;
    store.before = async (next) => {
      store.before = () => undefined;
      if (next === 'head') await store.delete(key);
    };
  };
  await putBlob(fresh, BYTES);
  expect((await store.get(key))?.body).toEqual(BYTES);
});

test('nothing but blobs is ever written again', async () => {
  const { clock, fresh } = await world();
  const key = jobSpecKey('job_00000001');
  await fresh.put(key, BYTES, { condition: 'create' });
  clock.now += 9 * DAY_MS;
  expect(await fresh.put(key, Uint8Array.of(9), { condition: 'create' })).toEqual({ kind: 'refused' });
  expect((await fresh.get(key))?.body).toEqual(BYTES);
});

test('the collector spares what is put again between its look and the removal', async () => {
  const { clock, store, key, fresh } = await world();
  await putBlob(fresh, BYTES);
  clock.now += 2 * DAY_MS;
  store.before = async (operation) => {
    if (operation !== 'head') return;
    store.before = () => undefined;
    await putBlob(fresh, BYTES);
  };
  const { garbage } = await collectGarbage(store, { now: clock.now, olderThanMs: DAY_MS });
  expect(garbage).toEqual([]);
  expect(await store.head(key)).toBeDefined();
});
