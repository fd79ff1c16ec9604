/** What a release says of its requests, and what the router knows of it before and after the first one. */
import { describe, expect, it } from 'vitest';
import { TOLD_HEADER } from '../../../core/contracts/headers.ts';
import { tell, type Told } from '../../../core/routing/told.ts';
import { KNOWN_MS } from '../../../functions/router/rules.ts';
import { CLOUD_URL, hang, json, refuse, routerUnderTest, type RouterUnderTest } from './stand-ins.ts';

const TARGET = 'x-causeway-target';
const said = (response: Response) =>
  `${response.status} ${response.headers.get(TARGET)} ${response.headers.get('x-causeway-reason')}`;
const told = (what: Told) => {
  const text = tell(what);
  return text === undefined ? {} : { [TOLD_HEADER]: text };
};
/** Both places tell the same, with every answer and when asked. */
function tellEverywhere(router: RouterUnderTest, what: Told): void {
  const headers = told(what);
  router.tell = () => new Response(null, { headers });
  router.answers.edge = () => json({ by: 'edge' }, { headers });
  router.answers.cloud = () => json({ by: 'cloud' }, { headers });
}
/** Who was asked for rules alone, in order. */
function countAsked(router: RouterUnderTest): string[] {
  const asked: string[] = [];
  const { tell: before } = router;
  router.tell = (url, signal) => {
    asked.push(url.replace(/\/v2.*$/, ''));
    return before(url, signal);
  };
  return asked;
}

describe('an exclusion of the release', () => {
  it('holds from the first request on: nothing goes to the cloud, whatever is asked and whatever fails', async () => {
    const router = routerUnderTest();
    tellEverywhere(router, { exclude: ['cloud'] });
    const pinned = await router.infer({ [TARGET]: 'cloud' });
    expect(pinned.status).toBe(422);
    expect(await pinned.json()).toMatchObject({ code: 'unprocessable' });
    expect(said(await router.infer())).toBe('200 edge only-target');
    router.answers.edge = () => json({ error: 'broken' }, { status: 503 });
    expect(said(await router.infer())).toBe('503 edge only-target');
    expect(router.seen.cloud).toEqual([]);
  });

  it('is asked of the cloud, without the payload, where the edge does not say', async () => {
    const router = routerUnderTest();
    router.answers.edge = refuse;
    router.tell = (url) => {
      if (!url.startsWith(CLOUD_URL)) throw new TypeError('connection refused');
      return new Response(null, { headers: told({ exclude: ['cloud'] }) });
    };
    expect((await router.infer()).status).toBe(502);
    expect(router.seen.cloud).toEqual([]);
    router.tell = () => new Response();
  });

  it('may be there where nobody says: the edge is asked, the cloud is not', async () => {
    const router = routerUnderTest();
    router.tell = () => Promise.reject(new TypeError('connection refused'));
    expect(said(await router.infer())).toBe('200 edge only-target');
    const silent = routerUnderTest();
    silent.tell = (_url, signal) => hang({} as never, signal);
    const pinned = await silent.infer({ [TARGET]: 'cloud', 'x-causeway-deadline-ms': '100' });
    expect(pinned.status).toBe(503);
    expect(pinned.headers.get('retry-after')).toBe('1');
    expect(await pinned.json()).toMatchObject({ code: 'unavailable', field: TARGET });
    expect([...router.seen.cloud, ...silent.seen.cloud]).toEqual([]);
  });

  it('comes and goes with the release: every answer tells', async () => {
    const router = routerUnderTest();
    await router.infer();
    tellEverywhere(router, { exclude: ['edge'] });
    await router.infer();
    expect(said(await router.infer())).toBe('200 cloud only-target');
    tellEverywhere(router, {});
    await router.infer();
    router.answers.cloud = refuse;
    expect(said(await router.infer({ [TARGET]: 'edge' }))).toBe('200 edge pinned');
  });
});

describe('asking for rules', () => {
  it('is for the first request of a model, and when nothing was heard for a second', async () => {
    const router = routerUnderTest();
    const asked = countAsked(router);
    for (let i = 0; i < 3; i++) await router.infer();
    expect(asked).toEqual(['http://inference']);
    router.pass(KNOWN_MS - 500);
    await router.infer();
    router.pass(KNOWN_MS - 500);
    await router.infer();
    expect(asked.length).toBe(1);
    router.pass(KNOWN_MS);
    await router.infer();
    expect(asked.length).toBe(2);
    await router.ask('/v2/models/m/versions/2/infer?a=b', {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
    expect(asked.length).toBe(3);
  });

  it.each([
    ['stays at the edge', { [TARGET]: 'edge' }, true],
    ['stays at the edge, in other words', { [TARGET]: 'edge-only' }, true],
    ['stays at the edge, in others yet', { 'x-causeway-exclude': 'cloud' }, true],
    ['has nowhere else to go', {}, false],
  ] as const)('is not for what %s', async (_, headers, cloud) => {
    const router = routerUnderTest({}, cloud);
    const asked = countAsked(router);
    expect((await router.infer(headers)).status).toBe(200);
    expect(asked).toEqual([]);
  });

  it('is not for what computes nothing', async () => {
    const router = routerUnderTest();
    const asked = countAsked(router);
    expect((await router.ask('/v2/models/m')).status).toBe(200);
    expect(asked).toEqual([]);
  });

  it('of a model that is not there is for a second', async () => {
    const router = routerUnderTest();
    router.tell = () => new Response(null, { status: 404 });
    const asked = countAsked(router);
    router.answers.edge = () => json({ error: 'no model m' }, { status: 404 });
    for (let i = 0; i < 3; i++) expect((await router.infer()).status).toBe(404);
    expect(asked.length).toBe(1);
    router.pass(1_001);
    await router.infer();
    expect(asked.length).toBe(2);
  });

  it('is not again for a model in use, however many names are made up beside it', async () => {
    const router = routerUnderTest();
    const asked: string[] = [];
    router.tell = (url) => {
      asked.push(url);
      return new Response();
    };
    const other = (name: string) =>
      router.ask(`/v2/models/${name}/infer`, {
        method: 'POST',
        body: '{}',
        headers: { 'content-type': 'application/json' },
      });
    await router.infer();
    for (let i = 0; i < 600; i++) {
      await other(`made-up-${i}`);
      if (i % 100 === 0) await router.infer();
    }
    await router.infer();
    expect(asked.filter((url) => url.endsWith('/models/m'))).toHaveLength(1);
    await other('made-up-0');
    expect(asked.filter((url) => url.endsWith('/made-up-0'))).toHaveLength(2);
  });
});

describe('a default of the release', () => {
  it('counts where the request says nothing', async () => {
    const router = routerUnderTest({ CLOUD_COST: '5' });
    tellEverywhere(router, { target: 'cloud', deadlineMs: 1_500 });
    expect(said(await router.infer())).toBe('200 cloud pinned');
    const waited = Number(router.seen.cloud[0]!.headers.get('x-causeway-deadline-ms'));
    expect(waited).toBeGreaterThan(1_000);
    expect(waited).toBeLessThanOrEqual(1_500);
    expect(said(await router.infer({ [TARGET]: 'edge', 'x-causeway-deadline-ms': '3000' }))).toBe(
      '200 edge pinned',
    );
    expect(Number(router.seen.edge[0]!.headers.get('x-causeway-deadline-ms'))).toBeGreaterThan(1_500);
    expect(said(await router.infer({ [TARGET]: 'auto' }))).not.toMatch(/pinned/);
    tellEverywhere(router, { costCeiling: 4.5 });
    await router.infer();
    expect(said(await router.infer())).toBe('200 edge only-target');
    expect((await router.infer({ [TARGET]: 'cloud' })).status).toBe(422);
    expect(said(await router.infer({ [TARGET]: 'cloud', 'x-causeway-cost-ceiling': '5' }))).toBe(
      '200 cloud pinned',
    );
  });

  it('of a target that is not here is none', async () => {
    const router = routerUnderTest();
    tellEverywhere(router, { target: 'cloud-mars' });
    expect(said(await router.infer())).toBe('200 edge no-estimate');
  });
});

describe('what a target tells', () => {
  it('does not reach the client', async () => {
    const router = routerUnderTest();
    tellEverywhere(router, { deadlineMs: 9_000 });
    expect((await router.infer()).headers.get(TOLD_HEADER)).toBeNull();
  });

  it('is left alone where it is not understood', async () => {
    const router = routerUnderTest();
    tellEverywhere(router, { exclude: ['edge'] });
    await router.infer();
    router.answers.cloud = () => json({}, { headers: { [TOLD_HEADER]: '{"exclude":"none"}' } });
    await router.infer();
    expect(said(await router.infer())).toBe('200 cloud only-target');
  });
});
