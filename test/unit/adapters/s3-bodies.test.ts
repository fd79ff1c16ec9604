/** Bodies that break off on the way from the bucket. */
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { type Serve, serveS3, storeOver } from '../../chaos/s3-service.ts';
import { memoryStore } from '../memory-store.ts';

const BODY = Uint8Array.from({ length: 1_000 }, (_, i) => i % 251);

/** Announces all, sends a part: then the connection is lost, or the stream ends as if that were all. */
const HOW = {
  lost: function* () {
    yield BODY.subarray(0, 400);
    throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
  },
  short: function* () {
    yield BODY.subarray(0, 999);
  },
};

async function storeThatBreaksOff(how: keyof typeof HOW, times: number) {
  const objects = memoryStore();
  await objects.put('k', BODY);
  const whole = serveS3(objects);
  const seen = { gets: 0 };
  const serve: Serve = async (request) => {
    const answer = await whole(request);
    if (request.method !== 'GET' || ++seen.gets > times) return answer;
    return { ...answer, body: Readable.from(HOW[how]()) };
  };
  return { store: storeOver(serve), seen };
}

test.each(['lost', 'short'] as const)('a body that was %s is read again', async (how) => {
  const { store, seen } = await storeThatBreaksOff(how, 2);
  expect((await store.get('k'))?.body).toEqual(BODY);
  expect(seen.gets).toBe(3);
});

test.each(['lost', 'short'] as const)('one that is %s each time is a fault to try again', async (how) => {
  const { store } = await storeThatBreaksOff(how, Infinity);
  await expect(store.get('k')).rejects.toMatchObject({ code: 'unavailable', retryable: true });
});
