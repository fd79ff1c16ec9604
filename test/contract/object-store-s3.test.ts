import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createS3Client, s3Store } from '../../cloud/adapters/s3-store.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import { objectStoreContract } from './object-store.ts';
import { openS3, type S3Fixture } from './s3-fixture.ts';

objectStoreContract('AWS SDK, S3 gateway, R2 in workerd', async () => {
  const { edge, client, close } = await openS3();
  return { store: s3Store({ client, bucket: edge.bucket }), close };
});

describe('faults of the S3 adapter', () => {
  let s3: S3Fixture;
  beforeAll(async () => {
    s3 = await openS3();
  });
  afterAll(() => s3.close());

  function storeWith(environment: Record<string, string>, bucket = s3.edge.bucket): ObjectStore {
    const client = createS3Client({ ...s3.edge.environment, ...environment });
    return s3Store({ client, bucket });
  }

  it.each([
    ['get', (store: ObjectStore) => store.get('key')],
    ['head', (store: ObjectStore) => store.head('key')],
    ['put', (store: ObjectStore) => store.put('key', new Uint8Array(10))],
    ['delete', (store: ObjectStore) => store.delete('key')],
    ['list', (store: ObjectStore) => store.list('')],
  ])('a wrong secret names the credentials, to operators alone: %s', async (_name, call) => {
    const store = storeWith({ AWS_SECRET_ACCESS_KEY: 'wrong' });
    await expect(call(store)).rejects.toMatchObject({
      name: 'Fault',
      code: 'internal',
      field: undefined,
      message: expect.not.stringMatching(/key|credentials/),
      detail: expect.stringMatching(/credentials are wrong/),
    });
  });

  it('so does an unknown access key id', async () => {
    const store = storeWith({ AWS_ACCESS_KEY_ID: 'nobody' });
    await expect(store.get('key')).rejects.toMatchObject({
      code: 'internal',
      detail: expect.stringMatching(/credentials are wrong/),
    });
  });

  it('a bucket that is not there is no missing key', async () => {
    const store = storeWith({}, 'elsewhere');
    const refusal = { code: 'internal', detail: expect.stringMatching(/no such bucket/) };
    await expect(store.get('key')).rejects.toMatchObject(refusal);
    const put = store.put('key', new Uint8Array(1), { condition: 'create' });
    await expect(put).rejects.toMatchObject(refusal);
  });

  it('an endpoint where nobody listens is unavailable, soon', async () => {
    const store = storeWith({ AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1' });
    const started = performance.now();
    await expect(store.get('key')).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it('a server that hangs up is unavailable', async () => {
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const store = storeWith({ AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${port}` });
    await expect(store.put('key', new Uint8Array(10))).rejects.toMatchObject({ code: 'unavailable' });
    await new Promise((resolve) => server.close(resolve));
  });

  it.each([0, 1_001, 1.5])('a page of %d objects is refused', async (limit) => {
    await expect(storeWith({}).list('', { limit })).rejects.toMatchObject({
      code: 'invalid',
      field: 'limit',
    });
  });

  it('a key longer than 1,024 bytes is the caller’s mistake', async () => {
    await expect(storeWith({}).put('ü'.repeat(513), new Uint8Array())).rejects.toMatchObject({
      code: 'invalid',
    });
  });
});
