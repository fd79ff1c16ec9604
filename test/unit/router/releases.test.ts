/** A release that comes through the router: what it excludes holds before any target speaks of it. */
import { describe, expect, it } from 'vitest';
import { TOLD_HEADER } from '../../../core/contracts/headers.ts';
import { HELD_MS } from '../../../core/routing/announced.ts';
import type { PointsOfPresence } from '../../../functions/router/environment.ts';
import { PointOfPresence } from '../../../functions/router/pop.ts';
import { hang, json, routerUnderTest, type RouterUnderTest } from './stand-ins.ts';

/** Whether a request goes to the cloud: on a slow machine the edge may be asked beside it. */
async function leaves(router: RouterUnderTest): Promise<boolean> {
  const before = router.seen.cloud.length;
  expect((await router.infer()).status).toBe(200);
  return router.seen.cloud.length > before;
}
const EXCLUDES = { [TOLD_HEADER]: '{"exclude":["cloud"]}' };
const of = (release: number) => ({ 'x-causeway-release': String(release) });

/**
 * Release 1 says nothing, release 2 excludes the cloud, and the targets still serve the first: only by its number does
 * the second one answer.
 */
function underTest(variables: Parameters<typeof routerUnderTest>[0] = {}): RouterUnderTest {
  const router = routerUnderTest({ ROUTING_POLICY: 'cloud-first', ...variables });
  router.answers.edge = () => json({}, { headers: of(1) });
  router.answers.cloud = () => json({}, { headers: of(1) });
  router.answers.jobs = () => json({ model: 'm', channel: 'stable', release: 2 }, { status: 201 });
  router.tell = (url) => new Response(null, { headers: url.endsWith('/versions/2') ? EXCLUDES : {} });
  return router;
}
const post = (router: RouterUnderTest, path = 'releases', body: unknown = {}) =>
  router.ask(`/v1/models/m/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });

describe('what a new release excludes', () => {
  it.each([
    ['is made', 'releases', { routing: { exclude: ['cloud'] } }],
    ['is what the channel goes back to', 'channels/stable', { release: 2 }],
  ])('holds from the answer on with which it %s', async (_, path, body) => {
    const router = underTest();
    for (let i = 0; i < 3; i++) expect(await leaves(router)).toBe(true);
    const response = await post(router, path, body);
    expect(await response.json()).toEqual({ model: 'm', channel: 'stable', release: 2 });
    router.seen.cloud.length = 0;
    for (let i = 0; i < 10; i++) {
      router.pass(250);
      expect(await leaves(router)).toBe(false);
    }
    expect((await router.infer({ 'x-causeway-target': 'cloud' })).status).toBe(422);
    expect(router.seen.cloud).toEqual([]);
  });

  it('holds where nothing was asked of the model before', async () => {
    const router = underTest();
    await post(router);
    expect(await leaves(router)).toBe(false);
    expect(router.seen.cloud).toEqual([]);
  });

  it('holds though other isolates of a target still tell of the one before, and for half a minute at most', async () => {
    const router = underTest();
    await router.infer();
    await post(router);
    for (const headers of [of(1), { ...of(2), ...EXCLUDES }, of(1)]) {
      router.answers.edge = () => json({}, { headers });
      expect(await leaves(router)).toBe(false);
    }
    router.pass(HELD_MS - 500);
    await router.infer();
    expect(await leaves(router)).toBe(false);
    // By now they have what another router said since.
    router.pass(600);
    await router.infer();
    expect(await leaves(router)).toBe(true);
  });

  it('is no more with one that excludes nothing', async () => {
    const router = underTest();
    router.tell = (url) => new Response(null, { headers: url.endsWith('/versions/2') ? {} : EXCLUDES });
    router.answers.edge = () => json({}, { headers: EXCLUDES });
    for (let i = 0; i < 2; i++) expect(await leaves(router)).toBe(false);
    await post(router);
    expect(await leaves(router)).toBe(true);
  });

  it('is the cloud where nobody says', async () => {
    const router = underTest();
    await router.infer();
    router.tell = (_url, signal) => hang({} as never, signal);
    await post(router);
    expect(await leaves(router)).toBe(false);
  });

  it.each([
    ['another channel', { channel: 'canary' }, 201],
    ['a refusal', {}, 422],
  ])('is nobody’s with %s', async (_, change, status) => {
    const router = underTest();
    router.answers.jobs = () => json({ model: 'm', channel: 'stable', release: 2, ...change }, { status });
    await router.infer();
    await post(router);
    expect(await leaves(router)).toBe(true);
  });

  it.each([
    ['is not', true, 0],
    ['would be', false, 1],
  ])('holds for what is under way: what is late there %s hedged', async (_, isReleased, hedges) => {
    const router = underTest({ ROUTING_POLICY: 'edge-first' });
    router.answers.edge = () => {
      router.pass(200);
      return json({});
    };
    for (const target of ['edge', 'cloud']) await router.infer({ 'x-causeway-target': target });
    router.seen.cloud.length = 0;
    const held = Promise.withResolvers<Response>();
    router.answers.edge = () => held.promise;
    const late = router.infer();
    if (isReleased) await post(router);
    const before = router.seen.cloud.length;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(router.seen.cloud.length - before).toBe(hedges);
    held.resolve(json({}));
    expect((await late).status).toBe(200);
  });
});

it('is told to the other isolates of the point of presence', async () => {
  const object = new PointOfPresence();
  const POP: PointsOfPresence = {
    idFromName: (name) => name,
    get: () => ({ fetch: (url, init) => object.fetch(new Request(url, init)) }),
  };
  const [one, other] = [underTest({ POP }), underTest({ POP })];
  await other.infer();
  await post(one);
  other.pass(2_001);
  // What is there when it arrives may leave: its targets say so, and the exchange is not waited for.
  await other.infer();
  await expect
    .poll(async () => (await other.ask('/metrics')).text())
    .toContain('causeway_exchanges_total{result="done"} 2');
  expect(await leaves(other)).toBe(false);
  // A rumour would not end: only who announced it tells it.
  const third = underTest({ POP });
  one.pass(HELD_MS);
  await one.infer();
  await expect
    .poll(async () => (await one.ask('/metrics')).text())
    .toContain('causeway_exchanges_total{result="done"} 2');
  await third.infer();
  await expect
    .poll(async () => (await third.ask('/metrics')).text())
    .toContain('causeway_exchanges_total{result="done"} 1');
  expect(await leaves(third)).toBe(true);
});
