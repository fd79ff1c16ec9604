import { describe, expect, it } from 'vitest';
import { MEMORY_FACTOR } from '../../../core/inference/config.ts';
import type { ModelSession } from '../../../core/inference/runtime.ts';
import { serialized } from '../../../core/inference/serialized.ts';
import { createSessionCache, type Lease } from '../../../core/inference/session-cache.ts';
import { createFixture, factorOf, infer, release } from './fixture.ts';

type Session = Pick<ModelSession, 'release'>;

const noDefer = () => undefined;

function cacheOf(options: { files: number; clock?: () => number }) {
  const log: string[] = [];
  const cache = createSessionCache<Session>({
    limitBytes: options.files * 100 * MEMORY_FACTOR,
    clock: options.clock ?? (() => 0),
  });
  const session = (sha256: string): Session => ({
    release: async () => void log.push(`-${sha256}`),
  });
  const acquire = (sha256: string, bytes = 100): Promise<Lease<Session>> =>
    cache.acquire(
      { sha256, bytes },
      async () => {
        log.push(`+${sha256}`);
        return session(sha256);
      },
      noDefer,
    );
  const touch = async (sha256: string) => (await acquire(sha256)).done();
  return { cache, log, acquire, touch };
}

/** Lets everything that can go on without us go on. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('session cache', () => {
  it('keeps what fits and drops the least recently used', async () => {
    const { cache, log, touch } = cacheOf({ files: 2 });
    for (const file of ['a', 'b', 'a', 'c', 'a', 'b']) await touch(file);
    expect(log).toEqual(['+a', '+b', '-b', '+c', '-c', '+b']);
    expect(cache.stats()).toEqual({ bytes: 2 * 100 * MEMORY_FACTOR, files: ['a', 'b'] });
  });

  it('never exceeds its bytes, whatever their order', async () => {
    const { cache, acquire } = cacheOf({ files: 3 });
    const limit = 3 * 100 * MEMORY_FACTOR;
    const sizes = [100, 250, 30, 300, 70, 90, 120];
    for (let i = 0; i < 60; i++) {
      const index = (i * i) % sizes.length;
      const lease = await acquire(`f${index}`, sizes[index]);
      expect(cache.stats().bytes).toBeLessThanOrEqual(limit);
      lease.done();
    }
  });

  it('does not drop what is in use: who needs the room waits', async () => {
    const { log, acquire } = cacheOf({ files: 1 });
    const [first, second] = [await acquire('a'), await acquire('a')];
    let got: Lease<Session> | undefined;
    const waiting = acquire('b').then((lease) => (got = lease));
    first.done();
    await turn();
    expect([log, got]).toEqual([['+a'], undefined]);
    second.done();
    await waiting;
    expect(log).toEqual(['+a', '-a', '+b']);
  });

  it('refuses what can never fit, as a failure another target may not have', async () => {
    await expect(cacheOf({ files: 1 }).acquire('a', 101)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('gives the memory back where a load fails', async () => {
    let now = 0;
    const { cache, touch } = cacheOf({ files: 1, clock: () => now });
    const failing = () =>
      cache.acquire({ sha256: 'x', bytes: 100 }, () => Promise.reject(new Error('no')), noDefer);
    await expect(failing()).rejects.toThrow('no');
    expect(cache.stats().bytes).toBe(0);
    now += 5_000;
    await expect(failing()).rejects.toThrow('no');
    await touch('a');
    expect(cache.stats().files).toEqual(['a']);
  });

  it('starts a load anew where the one that runs must be dead', async () => {
    let now = 0;
    const { cache, acquire } = cacheOf({ files: 2, clock: () => now });
    void cache.acquire({ sha256: 'a', bytes: 100 }, () => new Promise(() => {}), noDefer);
    now += 30_000;
    expect((await acquire('a')).cold).toBe(true);
  });

  it('gives back what a dead load took: the memory for one model is enough to load it anew', async () => {
    let now = 0;
    const { cache, acquire, touch } = cacheOf({ files: 1, clock: () => now });
    void cache.acquire({ sha256: 'a', bytes: 100 }, () => new Promise(() => {}), noDefer);
    await turn();
    now += 30_000;
    let got: Lease<Session> | undefined;
    void acquire('a').then((lease) => (got = lease));
    await turn();
    got!.done();
    expect(cache.stats()).toEqual({ bytes: 100 * MEMORY_FACTOR, files: ['a'] });
    await touch('b');
    expect(cache.stats()).toEqual({ bytes: 100 * MEMORY_FACTOR, files: ['b'] });
  });

  it('gives back what a load was releasing when it died', async () => {
    let now = 0;
    const { cache, touch } = cacheOf({ files: 1, clock: () => now });
    const stuck = { release: () => new Promise<void>(() => {}) };
    (await cache.acquire({ sha256: 'a', bytes: 100 }, async () => stuck, noDefer)).done();
    void cache.acquire({ sha256: 'b', bytes: 100 }, async () => stuck, noDefer);
    await turn();
    expect(cache.stats()).toEqual({ bytes: 100 * MEMORY_FACTOR, files: [] });
    now += 30_000;
    let touched = false;
    void touch('b').then(() => (touched = true));
    await turn();
    expect(touched).toBe(true);
    expect(cache.stats()).toEqual({ bytes: 100 * MEMORY_FACTOR, files: ['b'] });
  });

  describe.each([
    ['the slow one first', [0, 1]],
    ['the new one first', [1, 0]],
  ] as const)('keeps one of two sessions where a load was only slow: %s', (_, order) => {
    it.each(['both well', 'the second fails'])('%s', async (how) => {
      let now = 0;
      const { cache, log, touch } = cacheOf({ files: 2, clock: () => now });
      const loads = [0, 1].map(() => Promise.withResolvers<Session>());
      const leases = loads.map(({ promise }) => {
        const lease = cache.acquire({ sha256: 'a', bytes: 100 }, () => promise, noDefer);
        now += 30_000;
        return lease.catch(() => undefined);
      });
      const [first, second] = order;
      const named = (n: number): Session => ({ release: async () => void log.push(`-${n}`) });
      await turn();
      loads[first]!.resolve(named(first));
      await turn();
      if (how === 'both well') loads[second]!.resolve(named(second));
      else loads[second]!.reject(new Error('no'));
      await turn();
      for (const lease of await Promise.all(leases)) lease?.done();
      expect(log).toEqual(how === 'both well' ? [`-${second}`] : []);
      expect(cache.stats()).toEqual({ bytes: 100 * MEMORY_FACTOR, files: ['a'] });
      for (const file of ['b', 'c']) await touch(file);
      expect(log.filter((line) => line === `-${first}`)).toEqual([`-${first}`]);
      expect(cache.stats()).toEqual({ bytes: 200 * MEMORY_FACTOR, files: ['b', 'c'] });
    });
  });

  it('loads once where the first load waits for room as long as a dead one', async () => {
    let now = 0;
    const { cache, log, acquire } = cacheOf({ files: 1, clock: () => now });
    const busy = await acquire('a');
    const waiting = [acquire('b')];
    await turn();
    now += 30_000;
    waiting.push(acquire('b'));
    await turn();
    busy.done();
    for (const lease of await Promise.all(waiting)) lease.done();
    expect(log).toEqual(['+a', '-a', '+b']);
    expect(cache.stats()).toEqual({ bytes: 100 * MEMORY_FACTOR, files: ['b'] });
  });
});

describe('many requests at once', () => {
  it('share one load, and hand it to waitUntil each', async () => {
    const { app, store, runtime, deferred } = createFixture();
    await release(store, 'm', { factor: 2 });
    const answers = await Promise.all(Array.from({ length: 50 }, () => infer(app, 'm')));
    expect(answers.map(factorOf)).toEqual(answers.map(() => 2));
    expect(runtime.loads).toBe(1);
    expect(deferred.length).toBeGreaterThanOrEqual(50);
    expect(store.calls.get).toBeLessThan(10);
  });

  it('for more models than fit are all answered, and no session is used after its release', async () => {
    const { app, store, runtime } = createFixture({ config: { sessionBytes: 2 * 1_000 * MEMORY_FACTOR } });
    const models = ['a', 'b', 'c', 'd', 'e'];
    for (const [index, model] of models.entries())
      await release(store, model, { factor: index + 1, size: 1_000 });
    runtime.pause = () => turn();
    const asked = Array.from({ length: 100 }, (_, i) => (i * 7 + Math.floor(i / 3)) % models.length);
    const answers = await Promise.all(asked.map((index) => infer(app, models[index]!)));
    expect(answers.map(factorOf)).toEqual(asked.map((index) => index + 1));
    expect(runtime.misuse).toBe(0);
    expect(runtime.released).toBeGreaterThan(0);
    expect(runtime.loads - runtime.released).toBeLessThanOrEqual(2);
  });

  it('do not overlap in a serialized runtime', async () => {
    const { app, store, runtime } = createFixture({ wrap: serialized });
    await release(store, 'a', { factor: 1 });
    await release(store, 'b', { factor: 2 });
    runtime.pause = () => turn();
    const asked = Array.from({ length: 20 }, (_, i) => i % 2);
    const answers = await Promise.all(asked.map((index) => infer(app, 'ab'[index]!)));
    expect(answers.map(factorOf)).toEqual(asked.map((index) => index + 1));
    expect(runtime.overlap).toBe(1);
  });

  it('of different models overlap where the runtime allows it', async () => {
    const { app, store, runtime } = createFixture();
    await release(store, 'a', { factor: 1 });
    await release(store, 'b', { factor: 2 });
    // A run waits for another one beside it, but not for ever.
    runtime.pause = async () => {
      for (let i = 0; i < 100 && runtime.overlap < 2; i++) await turn();
    };
    await Promise.all(Array.from({ length: 10 }, (_, i) => infer(app, 'ab'[i % 2]!)));
    expect(runtime.overlap).toBeGreaterThan(1);
  });
});
