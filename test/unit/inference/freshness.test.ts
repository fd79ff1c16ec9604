import { beforeEach, describe, expect, it, vi } from 'vitest';
import { channelKey } from '../../../core/contracts/keys.ts';
import { getRelease } from '../../../core/registry/releases.ts';
import { Fault } from '../../../core/errors.ts';
import { corrupt, createFixture, factorOf, type Fixture, infer, release } from './fixture.ts';

let fixture: Fixture;
beforeEach(async () => {
  fixture = createFixture();
  await release(fixture.store, 'm', { factor: 1 });
  await infer(fixture.app, 'm');
});

const served = async () => factorOf(await infer(fixture.app, 'm'));
const settle = () => Promise.all(fixture.deferred.splice(0));
const lookUps = () => fixture.store.calls.head + fixture.store.calls.get;

describe('a fresh release', () => {
  it('is not looked for within a second', async () => {
    const before = lookUps();
    fixture.time.now += 1_000;
    for (let i = 0; i < 10; i++) await served();
    expect(lookUps()).toBe(before);
  });

  it('is looked for in the background after a second: one HEAD, however many ask', async () => {
    const before = { ...fixture.store.calls };
    fixture.time.now += 1_001;
    await Promise.all([served(), served(), served()]);
    await settle();
    expect(fixture.store.calls).toEqual({ ...before, head: before.head + 1 });
  });

  it('is loaded before it is switched to, while the old one answers', async () => {
    await release(fixture.store, 'm', { factor: 2 });
    let open = () => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    fixture.runtime.pause = (operation) => (operation === 'load' ? gate : undefined);
    fixture.time.now += 2_000;
    const answers = [await served(), await served(), await served()];
    expect(answers).toEqual([1, 1, 1]);
    open();
    await settle();
    const next = await infer(fixture.app, 'm');
    expect([factorOf(next), next.headers.get('x-causeway-cold')]).toEqual([2, '0']);
    expect(fixture.runtime.loads).toBe(2);
  });

  it('is waited for where the last look is over 4 s old', async () => {
    await release(fixture.store, 'm', { factor: 2 });
    fixture.time.now += 4_001;
    const answer = await infer(fixture.app, 'm');
    expect([factorOf(answer), answer.headers.get('x-causeway-cold')]).toEqual([2, '1']);
  });

  it('does not give way to an older one whose look was only slow', async () => {
    await release(fixture.store, 'm', { factor: 2 });
    const gate = Promise.withResolvers<void>();
    fixture.runtime.pause = (operation) => (operation === 'load' ? gate.promise : undefined);
    fixture.time.now += 5_000;
    const slow = served();
    await vi.waitUntil(() => fixture.runtime.loads === 2);
    fixture.time.now += 30_000;
    await release(fixture.store, 'm', { factor: 3 });
    fixture.runtime.pause = () => undefined;
    expect(await served()).toBe(3);
    gate.resolve();
    expect(await slow).toBe(3);
    expect(await served()).toBe(3);
  });

  it('serves at most 5 s after it was published, at any rate of requests', async () => {
    for (const everyMs of [50, 700, 1_500, 3_900, 60_000]) {
      const factor = everyMs;
      fixture.time.now += everyMs;
      await served();
      await settle();
      await release(fixture.store, 'm', { factor });
      const publishedAt = fixture.time.now;
      let answer: number | undefined;
      for (let i = 0; answer !== factor; i++) {
        fixture.time.now += everyMs;
        answer = await served();
        // Looking and loading take no time on this clock: what it measures is how long nobody looked.
        await settle();
        if (fixture.time.now - publishedAt >= 5_000) expect(answer).toBe(factor);
        expect(i).toBeLessThan(200);
      }
    }
  });

  it('goes back when the channel does', async () => {
    await release(fixture.store, 'm', { factor: 2 });
    fixture.time.now += 10_000;
    expect(await served()).toBe(2);
    fixture.store.tamper(
      channelKey('m', 'stable', 3),
      new TextEncoder().encode(
        JSON.stringify({ v: 1, model: 'm', channel: 'stable', release: 1, movedAt: '2026-01-01T00:00:00Z' }),
      ),
    );
    fixture.time.now += 10_000;
    expect(await served()).toBe(1);
    expect(fixture.runtime.loads).toBe(2);
  });
});

describe('when looking fails', () => {
  it('keeps the known release, and does not look again for a while', async () => {
    fixture.store.before = () => {
      throw new Fault('unavailable', 'the store is away');
    };
    fixture.time.now += 60_000;
    expect(await served()).toBe(1);
    const before = lookUps();
    for (let i = 0; i < 20; i++) expect(await served()).toBe(1);
    expect(lookUps()).toBe(before);
    expect(fixture.reported).toHaveLength(1);

    fixture.store.before = () => undefined;
    await release(fixture.store, 'm', { factor: 2 });
    fixture.time.now += 2_001;
    expect(await served()).toBe(2);
  });

  it('keeps the known release where the new one is corrupt, broken or not what it says', async () => {
    const bad: readonly Parameters<typeof release>[2][] = [
      { factor: 3, broken: true },
      { factor: 4, output: 'z' },
    ];
    for (const fake of bad) {
      await release(fixture.store, 'm', fake);
      fixture.time.now += 10_000;
      expect(await served()).toBe(1);
    }
    const number = await release(fixture.store, 'm', { factor: 5 });
    corrupt(fixture.store, (await getRelease(fixture.store, 'm', number))!.variants.fp32.sha256);
    fixture.time.now += 10_000;
    expect(await served()).toBe(1);
    expect(fixture.reported.map(String)).toEqual([
      expect.stringContaining('broken'),
      expect.stringContaining('signature'),
      expect.stringContaining('corrupt'),
    ]);
    await release(fixture.store, 'm', { factor: 6 });
    fixture.time.now += 10_000;
    expect(await served()).toBe(6);
  });
});

describe('a file that cannot be loaded', () => {
  it('is refused where its bytes were altered, as this target’s failure', async () => {
    const number = await release(fixture.store, 'other', { factor: 3 });
    corrupt(fixture.store, (await getRelease(fixture.store, 'other', number))!.variants.fp32.sha256);
    const answer = await infer(fixture.app, 'other');
    expect(answer.status).toBe(500);
    expect(answer.body.error).toMatch(/release 1 of other cannot be loaded: blob .* is corrupt/);
    expect(fixture.runtime.loads).toBe(1);
  });

  it('is a 5xx where the runtime refuses it, tried again only after a second', async () => {
    await release(fixture.store, 'other', { factor: 3, broken: true });
    for (let i = 0; i < 5; i++) expect((await infer(fixture.app, 'other')).status).toBe(503);
    expect(fixture.runtime.loads).toBe(2);
    fixture.time.now += 1_001;
    await infer(fixture.app, 'other');
    expect(fixture.runtime.loads).toBe(3);
  });
});

describe('a flood for what is not there', () => {
  it.each(['nope', 'nope/versions/1', 'm/versions/7'])('%s asks the store once a second', async (path) => {
    const first = lookUps();
    expect((await infer(fixture.app, path)).status).toBe(404);
    const cost = lookUps() - first;
    expect(cost).toBeGreaterThan(0);
    for (let i = 0; i < 100; i++) expect((await infer(fixture.app, path)).status).toBe(404);
    expect(lookUps() - first).toBe(cost);
    fixture.time.now += 1_001;
    await infer(fixture.app, path);
    expect(lookUps() - first).toBe(2 * cost);
  });

  it('sees the model appear within a second', async () => {
    expect((await infer(fixture.app, 'late')).status).toBe(404);
    await release(fixture.store, 'late', { factor: 7 });
    fixture.time.now += 1_001;
    expect(factorOf(await infer(fixture.app, 'late'))).toBe(7);
  });
});
