import { beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { createOrRead } from '../../../core/storage/json.ts';
import { type MemoryStore, memoryStore } from '../memory-store.ts';

const Who = z.strictObject({ who: z.string() });
let store: MemoryStore;
beforeEach(() => {
  store = memoryStore();
});
const create = (who: string) => createOrRead(store, 'key', { who }, Who);

test('the first one creates it, the others read what that one wrote', async () => {
  expect(await create('first')).toEqual({ value: { who: 'first' }, isNew: true });
  expect(await create('second')).toEqual({ value: { who: 'first' }, isNew: false });
  expect(store.calls).toMatchObject({ put: 2, get: 1 });
});

test('what is refused and then gone can be tried again', async () => {
  await create('first');
  store.before = (operation) => (operation === 'get' ? store.delete('key') : undefined);
  await expect(create('second')).rejects.toMatchObject({ code: 'unavailable', retryable: true });
});

test('what is there must be what it is read as', async () => {
  store.tamper('key', new TextEncoder().encode('{"what":1}'));
  await expect(create('second')).rejects.toMatchObject({
    code: 'internal',
    detail: expect.stringMatching(/^object key: /),
  });
});
