/** What clients are told of a store that fails, and what operators are. */
import type { R2Bucket } from '@cloudflare/workers-types';
import { describe, expect, it } from 'vitest';
import { JobSpec } from '../../../core/contracts/job.ts';
import type { LogLine } from '../../../core/contracts/log.ts';
import { errorBody, Fault, inFull } from '../../../core/errors.ts';
import { getJson } from '../../../core/storage/json.ts';
import type { ObjectStore } from '../../../core/storage/object-store.ts';
import { loggedError } from '../../../core/telemetry/log.ts';
import { r2Store } from '../../../functions/inference/r2-store.ts';
import { s3Error, storeOver } from '../../chaos/s3-service.ts';
import { apiBeside } from '../fleet/api.ts';
import { rememberingQueue } from '../fleet/world.ts';
import { memoryStore } from '../memory-store.ts';

const KEY = 'jobs/job_00000001/spec.json';
const thrownBy = (call: () => Promise<unknown>): Promise<unknown> =>
  call().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
const failingS3 = (status: number, code: string) => storeOver(() => Promise.resolve(s3Error(status, code)));
const failingR2 = (message: string) =>
  r2Store({ get: () => Promise.reject(new Error(message)) } as unknown as R2Bucket);

const damagedStore = () => {
  const store = memoryStore();
  store.tamper(KEY, new Uint8Array([0x7b]));
  return store;
};

const faults: readonly (readonly [string, () => ObjectStore, string, RegExp])[] = [
  [
    'a right that S3 credentials lack',
    () => failingS3(403, 'AccessDenied'),
    'internal',
    /have no right to it/,
  ],
  [
    'S3 credentials that expired',
    () => failingS3(400, 'ExpiredToken'),
    'internal',
    /credentials have expired/,
  ],
  ['a bucket that is not there', () => failingS3(404, 'NoSuchBucket'), 'internal', /no such bucket/],
  [
    'an R2 that fails',
    () => failingR2('internal error (10001)'),
    'unavailable',
    /R2 get .* \(Error: internal/,
  ],
  ['an object that is no JSON', damagedStore, 'internal', /is not JSON/],
];

describe('of a store that fails', () => {
  it.each(faults)('%s: clients see no key and nothing of credentials', async (_, store, code, detail) => {
    const thrown = await thrownBy(() => getJson(store(), KEY, JobSpec));
    expect(thrown).toBeInstanceOf(Fault);
    const { body } = errorBody(thrown);
    expect(body).toEqual({ code, error: expect.not.stringMatching(/jobs|spec|credential|bucket|R2|right/) });
    for (const told of [inFull(thrown), loggedError(thrown).message]) {
      expect(told).toContain(KEY);
      expect(told).toMatch(detail);
    }
  });

  it('the jobs API answers so, and its log says why', async () => {
    const lines: LogLine[] = [];
    const queue = rememberingQueue();
    const store = failingS3(403, 'AccessDenied');
    const telemetry = {
      log: (line: LogLine) => lines.push(line),
      randomHex: (n: number) => '7'.repeat(2 * n),
    };
    const api = apiBeside({ store: memoryStore(), queue, now: () => 0 }, { store, telemetry });
    const answer = await api.request('/v1/jobs/job_00000001');
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toMatch(/jobs\/|credentials/);
    expect(lines).toMatchObject([
      { level: 'ERROR', error: { message: expect.stringMatching(/jobs\/.*right/) } },
    ]);
  });
});
