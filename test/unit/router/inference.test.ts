import { describe, expect, it } from 'vitest';
import { RoutingView } from '../../../core/contracts/routing.ts';
import { BASE_EJECTION_MS, CONSECUTIVE_FAILURES } from '../../../core/routing/ejection.ts';
import { CALL_BYTES } from '../../../core/inference/call.ts';
import { hang, json, refuse, routerUnderTest, type RouterUnderTest } from './stand-ins.ts';

/** `200 edge pinned` */
const said = (response: Response) =>
  `${response.status} ${response.headers.get('x-causeway-target')} ${response.headers.get('x-causeway-reason')}`;
const view = async (router: RouterUnderTest) =>
  RoutingView.parse(await (await router.ask('/v1/routing')).json());

describe('an inference request', () => {
  it('reaches the target as it is, with ids and without the client’s own credentials', async () => {
    const router = routerUnderTest();
    const response = await router.ask('/v2/models/m/versions/3/infer?a=b', {
      method: 'POST',
      body: '{"id": 1}',
      headers: {
        'content-type': 'application/json; charset=utf-8',
        authorization: 'Bearer x',
        'x-request-id': 'r1',
        'x-causeway-target': 'cloud',
      },
    });
    expect(said(response)).toBe('200 cloud pinned');
    const [seen] = router.seen.cloud;
    expect(new URL(seen!.url)).toMatchObject({ pathname: '/v2/models/m/versions/3/infer', search: '?a=b' });
    expect(seen).toMatchObject({ method: 'POST', body: '{"id": 1}' });
    expect(seen!.headers.get('content-type')).toBe('application/json');
    expect(seen!.headers.get('authorization')).toMatch(/^Bearer ey/);
    expect(seen!.headers.get('x-request-id')).toBe('r1');
    expect(seen!.headers.get('traceparent')).toBe(response.headers.get('traceparent'));
    expect(response.headers.get('x-request-id')).toBe('r1');
    expect(response.headers.get('server-timing')).toMatch(
      /^route;dur=[\d.]+, cloud;dur=[\d.]+;desc="predicted nothing"$/,
    );
  });

  it('is called at the edge, not sent, unless it is too large for a call', async () => {
    const router = routerUnderTest({ MAX_BODY_BYTES: String(8 * 1024 * 1024) }, false);
    for (const [length, how] of [
      [CALL_BYTES - 1, 'called'],
      [CALL_BYTES, 'sent'],
    ] as const) {
      expect((await router.infer({ 'x-causeway-deadline-ms': '1500' }, 'x'.repeat(length))).status).toBe(200);
      const seen = router.seen.edge.pop()!;
      expect(seen.body.length).toBe(length);
      expect(Number(seen.headers.get('x-causeway-deadline-ms'))).toBeGreaterThan(1_000);
      expect(seen.headers.has('traceparent') ? 'sent' : 'called').toBe(how);
    }
  });

  it('whose deadline passes is taken back where it was called', async () => {
    const router = routerUnderTest({}, false);
    let aborted = false;
    router.answers.edge = (seen, signal) => {
      signal.addEventListener('abort', () => (aborted = true));
      return hang(seen, signal);
    };
    expect((await router.infer({ 'x-causeway-deadline-ms': '30' })).status).toBe(504);
    expect(aborted).toBe(true);
  });

  it('passes on what the target reports, and nothing else of its headers', async () => {
    const router = routerUnderTest();
    router.answers.edge = () =>
      json(
        {},
        {
          headers: {
            'x-causeway-in-flight': '2',
            'x-causeway-release': '7',
            'x-causeway-variant': 'int8',
            'set-cookie': 'a=b',
          },
        },
      );
    const { headers } = await router.infer();
    expect(headers.get('x-causeway-in-flight')).toBe('2');
    expect(headers.get('x-causeway-release')).toBe('7');
    expect(headers.get('x-causeway-variant')).toBe('int8');
    expect(headers.get('set-cookie')).toBeNull();
  });

  it.each([
    ['x-causeway-deadline-ms', ['0', '-1', '1.5', '600001', 'soon', '', '1e3']],
    ['x-causeway-target', ['', 'Edge', 'moon']],
  ])('is refused for a wrong %s, naming it', async (field, values) => {
    const router = routerUnderTest();
    for (const value of values) {
      const response = await router.infer({ [field]: value });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        code: 'invalid',
        field,
        error: expect.stringContaining(field),
      });
    }
    expect(router.seen.edge).toEqual([]);
  });

  it.each(['1', '600000'])('may have a deadline of %s ms', async (deadline) => {
    expect((await routerUnderTest().infer({ 'x-causeway-deadline-ms': deadline })).status).toBeLessThan(600);
  });

  it('is refused over the limit, declared or not, and when it is not JSON', async () => {
    const router = routerUnderTest({ MAX_BODY_BYTES: '10' });
    expect((await router.infer({}, 'x'.repeat(10))).status).toBe(200);
    const over = await router.infer({}, 'x'.repeat(11));
    expect(over.status).toBe(413);
    expect(await over.json()).toMatchObject({
      code: 'too_large',
      error: 'body: at most 10 bytes are allowed',
    });
    expect((await router.infer({ 'content-length': '11' }, 'x'.repeat(11))).status).toBe(413);
    expect((await router.infer({ 'content-type': 'text/plain' })).status).toBe(415);
  });

  it('goes where it is pinned, and nowhere else', async () => {
    const router = routerUnderTest();
    expect(said(await router.infer({ 'x-causeway-target': 'cloud' }))).toBe('200 cloud pinned');
    router.answers.cloud = refuse;
    expect(said(await router.infer({ 'x-causeway-target': 'cloud' }))).toBe('502 cloud pinned');
    expect(router.seen.edge).toEqual([]);
    const alone = await routerUnderTest({}, false).infer({ 'x-causeway-target': 'cloud' });
    expect(alone.status).toBe(400);
    expect(await alone.json()).toMatchObject({ field: 'x-causeway-target' });
  });

  it('goes to the edge where there is no cloud', async () => {
    const router = routerUnderTest({}, false);
    expect(said(await router.infer())).toBe('200 edge only-target');
    router.answers.edge = () => json({ error: 'broken', code: 'unavailable' }, { status: 503 });
    const failed = await router.infer();
    expect(said(failed)).toBe('503 edge only-target');
    expect(await failed.json()).toEqual({ error: 'broken', code: 'unavailable' });
  });
});

describe('fallback', () => {
  it.each([
    ['500', () => json({}, { status: 500 })],
    ['503', () => json({}, { status: 503 })],
    ['throttled', () => json({}, { status: 429 })],
    ['a token it does not take', () => json({}, { status: 401 })],
    ['no connection', refuse],
  ])('when the edge answers with %s', async (_, answer) => {
    const router = routerUnderTest();
    router.answers.edge = answer;
    const response = await router.infer();
    expect(said(response)).toBe('200 cloud fallback');
    expect(await response.json()).toEqual({ by: 'cloud' });
    expect(router.seen.cloud[0]?.body).toBe('{"inputs":[]}');
    expect(response.headers.get('server-timing')).toMatch(
      /edge;dur=[\d.]+;desc="(failed|unreachable), predicted nothing", cloud;dur=/,
    );
  });

  it('when the edge has no room, which is no failure of its health', async () => {
    const router = routerUnderTest();
    router.answers.edge = () => json({ error: 'full' }, { status: 503, headers: { 'retry-after': '1' } });
    for (let i = 0; i < 2 * CONSECUTIVE_FAILURES; i++)
      expect(said(await router.infer({ 'x-causeway-target': 'edge' }))).toBe('503 edge pinned');
    expect((await view(router)).targets.edge).toMatchObject({ state: 'healthy', errors: 0 });
    expect(said(await router.infer())).toBe('200 cloud fallback');
  });

  it('tells the target how long it is waited for', async () => {
    const router = routerUnderTest();
    await router.infer({ 'x-causeway-deadline-ms': '1000' });
    const told = Number(router.seen.edge[0]!.headers.get('x-causeway-deadline-ms'));
    expect(told).toBeGreaterThan(0);
    expect(told).toBeLessThanOrEqual(1000);
  });

  it('lets go of the answer that failed', async () => {
    const router = routerUnderTest();
    let dropped = false;
    router.answers.edge = () =>
      new Response(new ReadableStream({ cancel: () => void (dropped = true) }), { status: 503 });
    expect(said(await router.infer())).toBe('200 cloud fallback');
    expect(dropped).toBe(true);
  });

  it('when the edge hangs, in time for the deadline', async () => {
    const router = routerUnderTest();
    router.answers.edge = hang;
    expect(said(await router.infer({ 'x-causeway-deadline-ms': '200' }))).toBe('200 cloud fallback');
  });

  it.each([400, 404, 405, 413, 415, 422])('not for %d: that is the answer', async (status) => {
    const router = routerUnderTest();
    router.answers.edge = () => json({ error: 'no' }, { status });
    const response = await router.infer();
    expect(said(response)).toBe(`${status} edge no-estimate`);
    expect(await response.json()).toEqual({ error: 'no' });
    expect(router.seen.cloud).toEqual([]);
  });

  it('ends with the last failure: its own words, an unreachable target, the deadline', async () => {
    const router = routerUnderTest();
    router.answers.edge = refuse;
    router.answers.cloud = () => json({ error: 'cannot load' }, { status: 503 });
    const words = await router.infer();
    expect(said(words)).toBe('503 cloud fallback');
    expect(await words.json()).toEqual({ error: 'cannot load' });
    router.answers.cloud = refuse;
    expect((await router.infer()).status).toBe(502);
    // What passes between router and target is not the client's to see.
    router.answers.cloud = () => json({ error: 'token' }, { status: 403 });
    expect((await router.infer()).status).toBe(502);
    router.answers.edge = hang;
    router.answers.cloud = hang;
    const late = await router.infer({ 'x-causeway-deadline-ms': '60' });
    expect(late.status).toBe(504);
    expect(await late.json()).toMatchObject({ code: 'deadline_exceeded', field: 'x-causeway-deadline-ms' });
  });
});

describe('ejection', () => {
  it('leaves the failing target out, tries it once when the time is over, and takes it back', async () => {
    const router = routerUnderTest();
    router.answers.edge = refuse;
    expect(said(await router.infer())).toBe('200 cloud fallback');
    // The cloud has answered, the edge never: nobody waits for it again.
    expect(said(await router.infer())).toBe('200 cloud cloud-faster');
    for (let i = 1; i < CONSECUTIVE_FAILURES; i++)
      expect(said(await router.infer({ 'x-causeway-target': 'edge' }))).toBe('502 edge pinned');
    expect(said(await router.infer())).toBe('200 cloud edge-ejected');
    expect((await view(router)).targets.edge).toMatchObject({ state: 'ejected', errors: 5, requests: 5 });
    const asked = router.seen.edge.length;
    router.pass(BASE_EJECTION_MS);
    expect(said(await router.infer())).toBe('200 cloud fallback');
    expect(router.seen.edge).toHaveLength(asked + 1);
    expect(said(await router.infer())).toBe('200 cloud edge-ejected');
    router.pass(2 * BASE_EJECTION_MS);
    router.answers.edge = () => json({});
    expect(said(await router.infer())).toBe('200 edge trial');
    expect((await view(router)).targets.edge.state).toBe('healthy');
  });
});

describe('what is learned', () => {
  it('is seen in /v1/routing, as the contract has it', async () => {
    const router = routerUnderTest();
    router.answers.edge = () => {
      router.pass(600);
      return json({}, { headers: { 'x-causeway-cold': '1' } });
    };
    await router.infer();
    router.answers.edge = () => {
      router.pass(7);
      return json({}, { headers: { 'x-causeway-cold': '0', 'x-causeway-variant': 'int8' } });
    };
    await router.infer();
    await router.ask(`/v2/models/${'n'.repeat(100)}/infer`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
    const { targets, recent } = await view(router);
    // The warm answers' 7 ms, and what really passed meanwhile: not the cold one's 600.
    expect(targets.edge.ewmaMs).toBeGreaterThanOrEqual(7);
    expect(targets.edge.ewmaMs).toBeLessThan(100);
    expect(targets.edge.p99Ms).toBeGreaterThan(599);
    expect(targets.cloud).toMatchObject({ configured: true, requests: 0, ewmaMs: null, p50Ms: null });
    expect(
      recent.map(({ model, target, predictedMs, status }) => [
        model.slice(0, 3),
        target,
        predictedMs === null,
        status,
      ]),
    ).toEqual([
      // Another model is cold, and that is known by now.
      ['nnn', 'edge', false, 200],
      ['m', 'edge', true, 200],
      ['m', 'edge', true, 200],
    ]);
    expect(recent.map(({ variant }) => variant)).toEqual(['int8', 'int8', null]);
    expect(recent[0]?.model).toHaveLength(64);
  });

  it('keeps 50 decisions, newest first', async () => {
    const router = routerUnderTest();
    for (let i = 0; i < 60; i++)
      await router.ask(`/v2/models/m${i}/infer`, {
        method: 'POST',
        body: '{}',
        headers: { 'content-type': 'application/json' },
      });
    const { recent } = await view(router);
    expect(recent.map(({ model }) => model)).toEqual(Array.from({ length: 50 }, (_, i) => `m${59 - i}`));
  });

  it('does not count metadata as inference, and asks the edge for it', async () => {
    const router = routerUnderTest();
    router.answers.edge = () => {
      router.pass(300);
      return json({});
    };
    const response = await router.ask('/v2/models/m');
    expect(said(response)).toBe('200 edge edge-first');
    expect(router.seen.edge[0]).toMatchObject({ method: 'GET', body: '' });
    expect(await view(router)).toMatchObject({
      targets: { edge: { requests: 1, ewmaMs: null } },
      recent: [],
    });
    router.answers.edge = refuse;
    expect(said(await router.ask('/v2'))).toBe('200 cloud fallback');
  });

  it('moves requests to the faster target', async () => {
    const router = routerUnderTest();
    router.answers.edge = () => {
      router.pass(800);
      return json({});
    };
    // Slow enough that no timer of the real clock finds it late.
    router.answers.cloud = () => {
      router.pass(200);
      return json({});
    };
    await router.infer();
    await router.infer({ 'x-causeway-target': 'cloud' });
    expect(said(await router.infer())).toBe('200 cloud cloud-faster');
  });

  it('prefers the edge by ROUTING_POLICY=edge-first', async () => {
    const router = routerUnderTest({ ROUTING_POLICY: 'edge-first' });
    expect(said(await router.infer())).toBe('200 edge edge-first');
  });
});
