/** Bodies that break off on the way from the bucket. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { createS3Client, s3Store } from '../../../cloud/adapters/s3-store.ts';
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

test('one of many reads of a socket comes whole, with its length announced and without', async () => {
  const large = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 7919) >>> 5);
  const server = createServer((request, response) => {
    response.setHeader('etag', '"e"').setHeader('last-modified', new Date(0).toUTCString());
    if (request.url?.startsWith('/b/announced')) response.setHeader('content-length', large.length);
    // In chunks that share reads with each other.
    for (let at = 0; at < large.length; at += 10_007) response.write(large.subarray(at, at + 10_007));
    response.end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = createS3Client({
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    AWS_ACCESS_KEY_ID: 'a',
    AWS_SECRET_ACCESS_KEY: 's',
    CAUSEWAY_S3_PATH_STYLE: '1',
  });
  const store = s3Store({ client, bucket: 'b' });
  for (const key of ['announced', 'chunked']) {
    const [first, second] = await Promise.all([store.get(key), store.get(key)]);
    for (const object of [first, second]) expect(Buffer.compare(object!.body, large), key).toBe(0);
  }
  client.destroy();
  server.close();
});
