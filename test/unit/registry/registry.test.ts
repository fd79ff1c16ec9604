import { beforeEach, describe, expect, it } from 'vitest';
import { channelKey, releaseKey } from '../../../core/contracts/keys.ts';
import type { Release } from '../../../core/contracts/release.ts';
import { currentChannel, moveChannel } from '../../../core/registry/channels.ts';
import { listModels, listReleases } from '../../../core/registry/listing.ts';
import { getRelease, publishRelease } from '../../../core/registry/releases.ts';
import { type MemoryStore, memoryStore } from '../memory-store.ts';

const AT = '2026-01-02T03:04:05.000Z';
const NOW = new Date(AT);
const HASH = 'a'.repeat(64);

const release =
  (job: string, model = 'mnist') =>
  (n: number): Release => ({
    v: 1,
    model,
    release: n,
    variants: { fp32: { sha256: HASH, bytes: 10 } },
    signature: { inputs: [], outputs: [] },
    metrics: { accuracy: 0.5 },
    lineage: { job, dataset: { name: 'digits', version: 1 }, graph: HASH },
    createdAt: AT,
  });
const publish = (id: string, model = 'mnist') => publishRelease(store, model, id, release(id, model));
const job = (n: number) => `job_${String(n).padStart(8, '0')}`;

let store: MemoryStore;
beforeEach(() => {
  store = memoryStore();
});

describe('releases', () => {
  it('number themselves from 1 and read back newest first', async () => {
    for (let n = 1; n <= 12; n++) await publish(job(n));
    const numbers = (await listReleases(store, 'mnist')).map((each) => each.release);
    expect(numbers).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    expect((await listReleases(store, 'mnist', 2)).map((each) => each.lineage.job)).toEqual([
      job(12),
      job(11),
    ]);
    expect(await getRelease(store, 'mnist', 3)).toEqual(release(job(3))(3));
    expect(await getRelease(store, 'mnist', 13)).toBeUndefined();
    expect(await listReleases(store, 'other')).toEqual([]);
  });

  it('give every one of many jobs at once its own number', async () => {
    const jobs = Array.from({ length: 20 }, (_, n) => job(n));
    const published = await Promise.all(jobs.map((each) => publish(each)));
    expect(published.sort((a, b) => a - b)).toEqual(jobs.map((_, n) => n + 1));
  });

  it('are one per job, however often and at the same time it is published', async () => {
    await publish(job(1));
    const again = await Promise.all(Array.from({ length: 8 }, () => publish(job(2))));
    expect(again).toEqual(Array.from({ length: 8 }, () => 2));
    await publish(job(3));
    expect(await publish(job(1))).toBe(1);
    expect(await listReleases(store, 'mnist')).toHaveLength(3);
  });

  it('are one per job when another execution publishes after this one has looked', async () => {
    await publish(job(1));
    // The search reads release 1; just then the same job is released elsewhere.
    let isFirst = true;
    store.before = async (operation, key) => {
      if (operation !== 'get' || key !== releaseKey('mnist', 1) || !isFirst) return;
      isFirst = false;
      await publish(job(2));
    };
    expect(await publish(job(2))).toBe(2);
    expect(isFirst).toBe(false);
    expect(await listReleases(store, 'mnist')).toHaveLength(2);
  });

  it('refuse to be written as another number or model', async () => {
    const wrong = publishRelease(store, 'mnist', job(1), () => release(job(1))(7));
    await expect(wrong).rejects.toMatchObject({ code: 'internal' });
    await expect(publishRelease(store, 'mnist', job(1), release(job(1), 'other'))).rejects.toMatchObject({
      code: 'internal',
    });
    expect(await store.head(releaseKey('mnist', 1))).toBeUndefined();
  });
});

describe('channels', () => {
  const move = (to: number) => moveChannel(store, 'mnist', 'stable', to, NOW);

  beforeEach(async () => {
    for (let n = 1; n <= 3; n++) await publish(job(n));
  });

  it('point nowhere before the first move', async () => {
    expect(await currentChannel(store, 'mnist', 'stable')).toBeUndefined();
  });

  it('point to the last move, forwards and back', async () => {
    for (const to of [1, 3, 2]) {
      await move(to);
      expect(await currentChannel(store, 'mnist', 'stable')).toMatchObject({ release: to });
    }
    expect(await currentChannel(store, 'mnist', 'stable')).toEqual({ sequence: 3, release: 2, movedAt: AT });
  });

  it('cost one HEAD and no GET to look at again', async () => {
    await move(1);
    const known = await currentChannel(store, 'mnist', 'stable');
    const before = { ...store.calls };
    expect(await currentChannel(store, 'mnist', 'stable', known)).toBe(known);
    expect(store.calls).toEqual({ ...before, head: before.head + 1 });
  });

  it('write nothing when they point there already', async () => {
    const first = await move(2);
    expect(await move(2)).toEqual(first);
    expect(await store.head(channelKey('mnist', 'stable', 2))).toBeUndefined();
  });

  it('do not move to a release that does not exist', async () => {
    await expect(move(4)).rejects.toMatchObject({ code: 'unprocessable', field: 'release' });
    await expect(move(0)).rejects.toMatchObject({ code: 'invalid', field: 'release' });
  });

  it('keep every one of concurrent moves, the last in force', async () => {
    const states = await Promise.all([move(1), move(2), move(3)]);
    const last = states.reduce((a, b) => (a.sequence > b.sequence ? a : b));
    expect(await currentChannel(store, 'mnist', 'stable')).toEqual(last);
  });
});

describe('listModels', () => {
  it('counts releases and follows channels, past one page of keys', async () => {
    for (let n = 1; n <= 3; n++) await publish(job(n));
    await publish(job(9), 'anomaly');
    await moveChannel(store, 'mnist', 'stable', 1, NOW);
    await moveChannel(store, 'mnist', 'stable', 2, NOW);
    await moveChannel(store, 'mnist', 'canary', 3, NOW);
    for (let n = 0; n < 1500; n++) store.tamper(`models/aaa/other/${n}`, new Uint8Array(1));
    expect(await listModels(store)).toEqual([
      { name: 'anomaly', releases: 1, channels: {} },
      { name: 'mnist', releases: 3, channels: { canary: 3, stable: 2 } },
    ]);
    expect(store.calls.list).toBeGreaterThan(1);
  });
});
