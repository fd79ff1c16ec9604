import { beforeEach, describe, expect, it } from 'vitest';
import { CascadeSpec } from '../../../core/contracts/cascade.ts';
import { ReleaseRequest, type Release } from '../../../core/contracts/release.ts';
import { currentChannel, moveChannel } from '../../../core/registry/channels.ts';
import { getRelease, publishRelease, releaseOfJob } from '../../../core/registry/releases.ts';
import { rerelease } from '../../../core/registry/rerelease.ts';
import { headOf } from '../../../core/storage/sequence.ts';
import { releaseKey } from '../../../core/contracts/keys.ts';
import { type MemoryStore, memoryStore } from '../memory-store.ts';

const HASH = 'a'.repeat(64);
const JOB = 'job_00000001';
const LATER = new Date('2026-02-03T04:05:06.000Z');
const CASCADE = CascadeSpec.parse({ threshold: 0.9, large: { model: 'big' } });
const KEPT = { exclude: ['cloud'] };

const trained = (n: number): Release => ({
  v: 1,
  model: 'm',
  release: n,
  variants: { fp32: { sha256: HASH, bytes: 10 } },
  signature: {
    inputs: [{ name: 'x', dtype: 'F32', shape: ['n', 2] }],
    outputs: [{ name: 'y', dtype: 'F32', shape: ['n', 2] }],
  },
  metrics: { accuracy: 0.5 },
  routing: { deadlineMs: 200 },
  lineage: { job: JOB, dataset: { name: 'digits', version: 1 }, graph: HASH },
  createdAt: '2026-01-02T03:04:05.000Z',
});

let store: MemoryStore;
beforeEach(async () => {
  store = memoryStore();
  await publishRelease(store, 'm', JOB, trained);
  await moveChannel(store, 'm', 'stable', 1, new Date());
});
const say = (words: Omit<Parameters<typeof rerelease>[1], 'model' | 'channel'>, channel = 'stable') =>
  rerelease(store, { model: 'm', channel, ...words }, LATER);
const served = async (channel = 'stable') => (await currentChannel(store, 'm', channel))?.release;

describe('a release under other words', () => {
  it('has the files of the one before, its number, and the channel', async () => {
    expect(await say({ cascade: CASCADE })).toBe(2);
    const { lineage, ...before } = trained(2);
    expect(await getRelease(store, 'm', 2)).toEqual({
      ...before,
      cascade: CASCADE,
      lineage: { ...lineage, release: 1 },
      createdAt: LATER.toISOString(),
    });
    expect(await getRelease(store, 'm', 1)).toEqual(trained(1));
    expect(await served()).toBe(2);
  });

  it('keeps what is not spoken of, and takes back what is null', async () => {
    await say({ cascade: CASCADE });
    await say({ routing: KEPT });
    expect(await getRelease(store, 'm', 3)).toMatchObject({ cascade: CASCADE, routing: KEPT });
    await say({ cascade: null, routing: null });
    const bare = (await getRelease(store, 'm', 4))!;
    expect([bare.cascade, bare.routing, bare.lineage.release]).toEqual([undefined, undefined, 3]);
  });

  it('is not written again where that is said already', async () => {
    for (let i = 0; i < 3; i++) expect(await say({ cascade: CASCADE })).toBe(2);
    expect(await say({ cascade: CASCADE, from: 2 }, 'canary')).toBe(2);
    expect(await headOf(store, (n) => releaseKey('m', n))).toBe(2);
    expect(await served('canary')).toBe(2);
  });

  it('is not the job’s own: that one is found, and not published again', async () => {
    await say({ routing: KEPT });
    expect((await releaseOfJob(store, 'm', JOB))?.release).toBe(1);
    expect(await publishRelease(store, 'm', JOB, trained)).toBe(1);
  });

  it.each([
    ['from', { from: 9, cascade: null }],
    ['cascade.output', { cascade: { ...CASCADE, output: 'z' } }],
  ])('is refused where there is no such %s', async (field, words) => {
    await expect(say(words)).rejects.toMatchObject({ code: 'unprocessable', field });
    expect(await headOf(store, (n) => releaseKey('m', n))).toBe(1);
  });

  it('is refused for a channel that is not there, unless it says whose files', async () => {
    await expect(say({ cascade: null }, 'canary')).rejects.toMatchObject({ field: 'channel' });
    expect(await say({ routing: KEPT, from: 1 }, 'canary')).toBe(2);
    expect([await served(), await served('canary')]).toEqual([1, 2]);
  });

  it('is asked for with something to say', () => {
    expect(ReleaseRequest.safeParse({}).success).toBe(false);
    expect(ReleaseRequest.safeParse({ channel: 'beta', from: 1 }).success).toBe(false);
    expect(ReleaseRequest.parse({ cascade: { threshold: 0.5 } })).toMatchObject({
      channel: 'stable',
      cascade: { filter: 'threshold', threshold: 0.5 },
    });
    expect(ReleaseRequest.parse({ routing: null }).routing).toBeNull();
  });
});
