import { describe, expect, it } from 'vitest';
import { Explanation } from '../../../core/contracts/explanation.ts';
import { BASE_EJECTION_MS, CONSECUTIVE_FAILURES } from '../../../core/routing/ejection.ts';
import { type Answering, hang, json, refuse, routerUnderTest, type RouterUnderTest } from './stand-ins.ts';

const PATH = '/v2/models/m/infer?explain=1';
const asking = (headers: Record<string, string> = {}, body = '{}'): RequestInit => ({
  method: 'POST',
  body,
  headers: { 'content-type': 'application/json', ...headers },
});
async function explain(router: RouterUnderTest, headers: Record<string, string> = {}, path = PATH) {
  const response = await router.ask(path, asking(headers));
  const { explanation, ...answer } = (await response.json()) as Record<string, unknown>;
  return { response, answer, explanation: Explanation.parse(explanation) };
}
const pinned = (to: string) => ({ 'x-causeway-target': to });

describe('an explained answer', () => {
  it('has the table of its decision and what was sent, beside the answer', async () => {
    const router = routerUnderTest();
    router.answers.edge = () => {
      router.pass(20);
      return json({ outputs: [] }, { headers: { 'x-causeway-in-flight': '1', 'x-causeway-cold': '0' } });
    };
    await router.infer();
    const { response, answer, explanation } = await explain(router, { 'x-causeway-deadline-ms': '5000' });
    expect(response.status).toBe(200);
    expect(response.headers.get('x-causeway-reason')).toBe('edge-faster');
    expect(answer).toEqual({ outputs: [] });
    expect(explanation).toMatchObject({
      model: 'm',
      policy: 'predictive',
      bytes: 2,
      deadlineMs: 5000,
      pin: null,
      target: 'edge',
      reason: 'edge-faster',
      status: 200,
      decisions: [{ kind: 'first', target: 'edge', reason: 'edge-faster', shadow: null }],
      attempts: [{ target: 'edge', reason: 'edge-faster', result: 'answered', inFlight: 1, cold: false }],
    });
    const [edge, cloud] = explanation.decisions[0]!.targets;
    expect(edge).toMatchObject({ target: 'edge', inTime: 'surely', health: 'healthy', excluded: null });
    const { network, queue, service, cold } = edge!.parts!;
    expect(service).toBeGreaterThanOrEqual(20);
    expect(edge!.predictedMs).toBeCloseTo(network + queue + service + cold, 2);
    expect(edge!.score).toBeGreaterThanOrEqual(edge!.predictedMs!);
    expect(cloud).toMatchObject({ target: 'cloud', parts: null, predictedMs: null, inTime: 'unknown' });
    const [attempt] = explanation.attempts;
    expect(attempt!.predictedMs).toBe(edge!.predictedMs);
    expect(attempt!.actualMs).toBeGreaterThanOrEqual(20);
    expect(explanation.actualMs).toBeGreaterThanOrEqual(attempt!.actualMs!);
  });

  it('leaves every byte of the answer as the target wrote it', async () => {
    const router = routerUnderTest();
    const headers = { 'content-type': 'application/json' };
    const text = '{ "data": [9007199254740993, 1.0e-7],\n "text": "}" }';
    router.answers.edge = () => new Response(text, { headers });
    const body = await (await router.ask(PATH, asking())).text();
    expect(body).toContain('"data": [9007199254740993, 1.0e-7],\n "text": "}","explanation":{');
    expect(JSON.parse(body)).toMatchObject({ text: '}', explanation: { status: 200 } });
    router.answers.edge = () => new Response('{}', { headers });
    expect(await (await router.ask(PATH, asking())).text()).toMatch(/^\{"explanation":\{/);
    for (const [other, type] of [
      ['[1]', 'application/json'],
      ['{}', 'text/plain'],
    ] as const) {
      router.answers.edge = () => new Response(other, { headers: { 'content-type': type } });
      expect(await (await router.ask(PATH, asking())).text()).toBe(other);
    }
  });

  it('is given only where it is asked for', async () => {
    const router = routerUnderTest();
    for (const query of ['', '?explain=0', '?other=1']) {
      const response = await router.ask(`/v2/models/m/infer${query}`, asking());
      expect(await response.json()).toEqual({ by: 'edge' });
    }
    const wrong = await router.ask('/v2/models/m/infer?explain=yes', asking());
    expect(wrong.status).toBe(400);
    expect(await wrong.json()).toMatchObject({ code: 'invalid', field: 'explain' });
  });

  it('is for those who may read /v1/routing, also where everybody may ask a model', async () => {
    const router = routerUnderTest({ API_TOKEN: 'let-me-in' });
    expect((await router.ask('/v2/models/m/infer', asking())).status).toBe(200);
    const stranger = await router.ask(PATH, asking());
    expect(stranger.status).toBe(401);
    expect(await stranger.json()).toMatchObject({ code: 'unauthorized', field: 'authorization' });
    expect(router.seen.edge).toHaveLength(1);
    const { explanation } = await explain(router, { authorization: 'Bearer let-me-in' });
    expect(explanation.target).toBe('edge');
  });
});

describe('an explanation says', () => {
  it('which targets were excluded, and why', async () => {
    const router = routerUnderTest();
    const { explanation } = await explain(router, pinned('cloud'));
    expect(explanation).toMatchObject({ pin: 'cloud', reason: 'pinned' });
    expect(explanation.decisions[0]!.targets.map(({ target, excluded }) => [target, excluded])).toEqual([
      ['edge', 'pinned-elsewhere'],
      ['cloud', null],
    ]);
    router.answers.edge = refuse;
    for (let i = 0; i < CONSECUTIVE_FAILURES; i++) await router.infer(pinned('edge'));
    const { explanation: ejected } = await explain(router);
    expect(ejected).toMatchObject({ target: 'cloud', reason: 'edge-ejected' });
    expect(ejected.decisions[0]!.targets[0]).toMatchObject({ health: 'ejected', excluded: 'ejected' });
    router.pass(BASE_EJECTION_MS);
    const { explanation: trial } = await explain(router);
    expect(trial.decisions.map(({ kind, target, reason }) => [kind, target, reason])).toEqual([
      ['first', 'edge', 'trial'],
      ['fallback', 'cloud', 'fallback'],
    ]);
  });

  it('why a request was refused', async () => {
    const router = routerUnderTest({ MAX_IN_FLIGHT: '1' });
    const held = Promise.withResolvers<Response>();
    router.answers.edge = router.answers.cloud = () => held.promise;
    const there = ['edge', 'cloud'].map((place) => router.infer(pinned(place)));
    const { explanation } = await explain(router);
    expect(explanation).toMatchObject({ status: 503, target: null, decisions: [{ refused: 'full' }] });
    expect(explanation.decisions[0]!.targets.map(({ excluded }) => excluded)).toEqual(['full', 'full']);
    held.resolve(json({}));
    await Promise.all(there);
  });

  it('how a failed attempt was made good', async () => {
    const router = routerUnderTest();
    router.answers.edge = () => json({ error: 'full' }, { status: 503, headers: { 'retry-after': '1' } });
    const { explanation, answer } = await explain(router);
    expect(answer).toEqual({ by: 'cloud' });
    expect(explanation.attempts).toMatchObject([
      { target: 'edge', reason: 'no-estimate', result: 'overloaded' },
      { target: 'cloud', reason: 'fallback', result: 'answered' },
    ]);
    const [, fallback] = explanation.decisions;
    expect(fallback).toMatchObject({ kind: 'fallback', target: 'cloud' });
    expect(fallback!.targets[0]).toMatchObject({ target: 'edge', excluded: 'tried' });
    expect(fallback!.leftMs).toBeLessThanOrEqual(explanation.decisions[0]!.leftMs);
  });

  it('that a late attempt got a second one beside it', async () => {
    const router = routerUnderTest();
    for (const to of ['edge', 'cloud'] as const) {
      await router.infer(pinned(to));
      await router.infer(pinned(to));
    }
    // Whichever is asked first hangs.
    let asked = 0;
    const answer: Answering = (seen, signal) => (asked++ === 0 ? hang(seen, signal) : json({}));
    router.answers.edge = answer;
    router.answers.cloud = answer;
    const { explanation } = await explain(router);
    expect(explanation.reason).toBe('hedge');
    expect(explanation.decisions.map(({ kind, target }) => [kind, target])).toEqual([
      ['first', explanation.attempts[0]!.target],
      ['hedge', explanation.attempts[1]!.target],
    ]);
    const [late, second] = explanation.attempts;
    expect(late!.result).toMatch(/^(under-way|cancelled)$/);
    expect(second).toMatchObject({ reason: 'hedge', result: 'answered' });
    expect(second!.atMs).toBeGreaterThanOrEqual(late!.predictedMs!);
  });

  it('why there was no answer: in the error', async () => {
    const router = routerUnderTest();
    router.answers.edge = hang;
    const late = await explain(router, { 'x-causeway-deadline-ms': '40', ...pinned('edge') });
    expect(late.response.status).toBe(504);
    expect(late.answer).toMatchObject({ code: 'deadline_exceeded' });
    expect(late.explanation).toMatchObject({
      target: 'edge',
      status: 504,
      attempts: [{ target: 'edge', result: 'timeout', limitMs: expect.closeTo(40, -1) }],
    });
  });

  it('nothing where the request was refused before anything was decided', async () => {
    const response = await routerUnderTest().ask(PATH, asking({ 'x-causeway-deadline-ms': 'x' }));
    expect(response.status).toBe(400);
    expect(Object.keys((await response.json()) as object)).toEqual(['error', 'code', 'field']);
  });
});
