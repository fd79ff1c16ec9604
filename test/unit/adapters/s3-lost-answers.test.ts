/** Puts whose answer was lost: the SDK tries again and meets its own object, which must not read as somebody else's. */
import { describe, expect, test } from 'vitest';
import { columns } from '../../../core/datasets/columns.ts';
import { importDataset } from '../../../core/datasets/import.ts';
import { readControl, UNTOUCHED, writeControl } from '../../../core/jobs/control.ts';
import { currentChannel, moveChannel } from '../../../core/registry/channels.ts';
import { publishRelease } from '../../../core/registry/releases.ts';
import type { ObjectStore } from '../../../core/storage/object-store.ts';
import { s3Error, type Serve, serveS3, storeOver } from '../../chaos/s3-service.ts';
import { memoryStore, type MemoryStore } from '../memory-store.ts';

const BYTES = Uint8Array.of(1, 2, 3);

/** Each put is done, and then is not answered, or answered with 412 as by a proxy that tried again. */
const HOW: Readonly<Record<string, (serve: Serve) => Serve>> = {
  'no answer': (serve) => {
    const done = new Set<string>();
    return async (request) => {
      const answer = await serve(request);
      if (request.method !== 'PUT' || answer.statusCode !== 200 || done.has(request.path)) return answer;
      done.add(request.path);
      throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
    };
  },
  '412': (serve) => async (request) => {
    const answer = await serve(request);
    return request.method === 'PUT' && answer.statusCode === 200
      ? s3Error(412, 'PreconditionFailed')
      : answer;
  },
};

function lossy(how: string): { readonly store: ObjectStore; readonly objects: MemoryStore } {
  const objects = memoryStore();
  return { objects, store: storeOver(HOW[how]!(serveS3(objects))) };
}

describe.each(Object.keys(HOW))('%s', (how) => {
  test('a put that was stored is written', async () => {
    const { store } = lossy(how);
    const outcome = await store.put('k', BYTES, { condition: 'create', metadata: { meter: '1' } });
    expect(outcome).toEqual({ kind: 'written', etag: (await store.head('k'))?.etag });
    expect((await store.get('k'))?.metadata).toEqual({ meter: '1' });
  });

  test('the same bytes of somebody else are not', async () => {
    const { store, objects } = lossy(how);
    await store.put('k', BYTES, { condition: 'create' });
    for (const other of [store, storeOver(serveS3(objects))])
      expect(await other.put('k', BYTES, { condition: 'create' })).toEqual({ kind: 'refused' });
  });

  test('a job is redriven once, and a channel moved once', async () => {
    const { store, objects } = lossy(how);
    const job = 'job_00000001';
    const control = { v: 1, job, at: '2026-01-02T03:04:05.000Z', action: 'redrive' } as const;
    await writeControl(store, control, UNTOUCHED);
    expect(await readControl(objects, job)).toMatchObject({ seq: 1, run: 2 });

    const release = await publishRelease(store, 'm', job, (n) => ({
      v: 1,
      model: 'm',
      release: n,
      variants: { fp32: { sha256: '0'.repeat(64), bytes: 1 } },
      signature: { inputs: [], outputs: [] },
      metrics: {},
      lineage: { job, dataset: { name: 'd', version: 1 }, graph: '0'.repeat(64) },
      createdAt: control.at,
    }));
    expect(release).toBe(1);
    await moveChannel(store, 'm', 'stable', release, new Date(control.at));
    expect(await currentChannel(objects, 'm', 'stable')).toMatchObject({ sequence: 1 });
  });

  test('whose import it was is not told that somebody else was quicker', async () => {
    const objects = memoryStore();
    const lossyManifest = storeOver(HOW[how]!(serveS3(objects)));
    // Shards are written without a condition, which this service does not take.
    const store: ObjectStore = {
      ...objects,
      put: (key, body, options) =>
        (options?.condition === undefined ? objects : lossyManifest).put(key, body, options),
    };
    const y = columns({ y: { spec: { dtype: 'U8', shape: [] }, data: BYTES } });
    const now = () => new Date('2026-01-02T03:04:05Z');
    const { version } = await importDataset(store, { name: 'd', splits: { train: y }, shards: 1, now });
    expect(version).toBe(1);
  });
});
