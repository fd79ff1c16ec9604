import { describe, expect, it } from 'vitest';
import { SHARED_BYTES, type Told } from '../../../core/contracts/sharing.ts';
import { targetConfig } from '../../../core/routing/targets.ts';
import { initialState } from '../../../core/routing/state.ts';
import { summaryOf } from '../../../core/routing/sharing.ts';
import type { Fetcher } from '../../../functions/router/environment.ts';
import { createExchange, EXCHANGE_MS } from '../../../functions/router/exchange.ts';
import { PointOfPresence } from '../../../functions/router/pop.ts';
import { hang, routerUnderTest } from './stand-ins.ts';

const FRA = () => 'FRA';
const ANSWERED = Promise.resolve();
const NO_RELEASES = { announcements: () => ({}), announcedElsewhere: () => {} };
const EMPTY: Told = { v: 1, isolates: 0, summary: {} };

function isolateUnderTest(answer: Fetcher['fetch'], seed = '01') {
  const seen: { colo: string; telling: { isolate: string; sequence: number } }[] = [];
  const told: Told[] = [];
  const ends: boolean[] = [];
  let now = 0;
  const exchange = createExchange({
    isolate: {
      summary: () => summaryOf(initialState([targetConfig('edge', 'edge')]), now),
      told: (news) => told.push(news),
      exchanged: (isDone) => ends.push(isDone),
    },
    rules: NO_RELEASES,
    points: {
      idFromName: (name) => name,
      get: (colo: never) => ({
        fetch(url, init) {
          seen.push({ colo, telling: JSON.parse(init.body as string) as (typeof seen)[number]['telling'] });
          return answer(url, init);
        },
      }),
    },
    clock: () => now,
    randomHex: (count) => seed.repeat(count),
  });
  return {
    exchange,
    seen,
    told,
    ends,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

describe('an exchange', () => {
  it('is with the object of the data centre, at most one a second', async () => {
    const { exchange, seen, told, pass } = isolateUnderTest(() => Promise.resolve(Response.json(EMPTY)));
    await exchange(FRA, ANSWERED);
    expect(exchange(FRA, ANSWERED)).toBeUndefined();
    pass(EXCHANGE_MS - 1);
    expect(exchange(FRA, ANSWERED)).toBeUndefined();
    pass(1);
    await exchange(() => undefined, ANSWERED);
    expect(seen).toMatchObject([
      { colo: 'FRA', telling: { sequence: 0 } },
      { colo: 'local', telling: { sequence: 1 } },
    ]);
    expect(seen[0]!.telling.isolate).toBe('01'.repeat(8));
    expect(told).toEqual([EMPTY, EMPTY]);
  });

  it('begins with a new isolate’s first request, and later when the request is answered or has failed', async () => {
    const { exchange, seen, pass } = isolateUnderTest(() => Promise.resolve(Response.json(EMPTY)));
    await exchange(FRA, new Promise(() => {}));
    expect(seen).toHaveLength(1);
    pass(EXCHANGE_MS);
    const { promise, reject } = Promise.withResolvers<void>();
    const later = exchange(FRA, promise);
    await Promise.resolve();
    expect(seen).toHaveLength(1);
    reject(new Error('refused'));
    await later;
    expect(seen).toHaveLength(2);
  });

  it.each<readonly [string, Fetcher['fetch']]>([
    ['is out of reach', () => Promise.reject(new TypeError('no route'))],
    ['answers an error', () => Promise.resolve(new Response('busy', { status: 503 }))],
    ['speaks another version', () => Promise.resolve(Response.json({ ...EMPTY, v: 2 }))],
  ])('teaches nothing where the object %s, and is tried less often', async (_what, answer) => {
    const { exchange, told, ends, pass } = isolateUnderTest(answer);
    let tried = 0;
    for (let second = 0; second < 60; second++) {
      const going = exchange(FRA, ANSWERED);
      if (going !== undefined) tried += 1;
      await going;
      pass(1_000);
    }
    expect(told).toEqual([]);
    expect(ends).toEqual(Array.from({ length: tried }, () => false));
    // After 0, 2, 6, 14 and 30 seconds.
    expect(tried).toBe(5);
  });

  it('is given up where the object hangs', async () => {
    const { exchange, ends } = isolateUnderTest((_url, init) =>
      Promise.resolve(hang({} as never, init.signal as AbortSignal)),
    );
    await exchange(FRA, ANSWERED);
    expect(ends).toEqual([false]);
  });

  it('is nothing without the binding', () => {
    const exchange = createExchange({
      isolate: undefined as never,
      rules: NO_RELEASES,
      points: undefined,
      clock: () => 0,
      randomHex: undefined as never,
    });
    expect(exchange(FRA, ANSWERED)).toBeUndefined();
  });
});

describe('a point of presence', () => {
  const tell = (body: string) =>
    new PointOfPresence().fetch(
      new Request('http://pop/', { method: 'POST', body, headers: { 'content-type': 'application/json' } }),
    );

  it('refuses what is no telling', async () => {
    for (const body of ['', '{', '{}', '[]', '"'.padEnd(SHARED_BYTES + 1, 'x')])
      expect((await tell(body)).status, body.slice(0, 9)).toBe(400);
  });
});

describe('routers that share', () => {
  const infer = async (router: ReturnType<typeof routerUnderTest>, target?: string) => {
    const response = await router.infer(target === undefined ? {} : { 'x-causeway-target': target });
    await new Promise((resolve) => setTimeout(resolve, 0));
    return response;
  };

  it('know what others learned; one without the object, or with a broken one, answers as well', async () => {
    const points = new Map<string, PointOfPresence>();
    const POP = {
      idFromName: (name: string) => name,
      get(name: never): Fetcher {
        const point = points.get(name) ?? new PointOfPresence();
        points.set(name, point);
        return { fetch: (url, init) => point.fetch(new Request(url, { ...init, signal: null })) };
      },
    };
    const first = routerUnderTest({ POP });
    for (let i = 0; i < 3; i++) await infer(first, 'cloud');
    first.pass(EXCHANGE_MS);
    await infer(first, 'edge');
    const timing = async (router: ReturnType<typeof routerUnderTest>) => {
      await infer(router, 'edge');
      return (await infer(router, 'cloud')).headers.get('server-timing');
    };
    expect(await timing(routerUnderTest({ POP }))).toMatch(/cloud;.*predicted \d/);
    expect(await timing(routerUnderTest())).toMatch(/cloud;.*predicted nothing/);
    const broken = {
      idFromName(): never {
        throw new Error('no such object');
      },
      get: undefined as never,
    };
    expect(await timing(routerUnderTest({ POP: broken }))).toMatch(/cloud;.*predicted nothing/);
  });
});
