import { describe, expect, test } from 'vitest';
import { createS3Client } from '../../../cloud/adapters/s3-client.ts';
import { parseCredentials, secretCredentials } from '../../../cloud/adapters/s3-credentials.ts';

const KEYS = { accessKeyId: 'id', secretAccessKey: 'key' };

describe('credentials from a secret', () => {
  test('are read from the secret that is named', async () => {
    const provider = secretCredentials('arn:1', (arn) =>
      Promise.resolve(arn === 'arn:1' ? JSON.stringify({ ...KEYS, note: 'more' }) : undefined),
    );
    expect(await provider()).toEqual(KEYS);
  });

  test.each([
    '',
    'hunter2',
    'null',
    '{}',
    '{"accessKeyId":"id"}',
    '{"accessKeyId":"id","secretAccessKey":""}',
  ])('refuse %j without repeating it', (text) => {
    expect(() => parseCredentials(text)).toThrow(
      expect.objectContaining({
        code: 'internal',
        message: expect.not.stringMatching(/hunter2|credentials/),
        detail: expect.not.stringContaining('hunter2'),
      }),
    );
  });

  test('a secret that cannot be read is a fault to try again', async () => {
    const provider = secretCredentials('arn:1', () => Promise.reject(new Error('throttled')));
    await expect(provider()).rejects.toMatchObject({ code: 'unavailable', retryable: true });
  });
});

test('the bucket’s own region goes before the function’s, its keys stay the environment’s', async () => {
  const aws = { AWS_REGION: 'eu-west-1', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
  const client = createS3Client({ ...aws, CAUSEWAY_S3_REGION: 'auto' });
  expect(await client.config.region()).toBe('auto');
  expect(await client.config.credentials()).toMatchObject({ accessKeyId: 'a', secretAccessKey: 'b' });
  expect(await createS3Client(aws).config.region()).toBe('eu-west-1');
});
