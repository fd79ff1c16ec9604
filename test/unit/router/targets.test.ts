/** Several targets in one deployment: regions, the edge's variants, and what requests say of them. */
import { describe, expect, it } from 'vitest';
import { TOLD_HEADER } from '../../../core/contracts/headers.ts';
import { RoutingView } from '../../../core/contracts/routing.ts';
import { tell } from '../../../core/routing/told.ts';
import { namesOf, targetsOf, type TargetVariables } from '../../../functions/router/targets.ts';
import { CLOUD_URL, json, refuse, routerUnderTest, type RouterUnderTest, SECRET } from './stand-ins.ts';

const TARGET = 'x-causeway-target';
const EXCLUDE = 'x-causeway-exclude';
const CEILING = 'x-causeway-cost-ceiling';
const said = (response: Response) =>
  `${response.status} ${response.headers.get(TARGET)} ${response.headers.get('x-causeway-reason')}`;
const REGIONS = JSON.stringify({
  eu: { url: `${CLOUD_URL}/eu`, cost: 2 },
  us: { url: `${CLOUD_URL}/us/`, cost: 3 },
});

describe('the targets of a deployment', () => {
  it('are the edge, the cloud, and its regions, with what they cost', () => {
    const variables = {
      CLOUD_URL,
      CLOUD_REGIONS: REGIONS,
      CLOUD_COST: '1.5',
      EDGE_COST: '0.3',
      MAX_IN_FLIGHT: '40',
    };
    const targets = targetsOf(variables);
    expect(
      targets.map(({ config: { id, place, cost, limit }, url }) => [id, place, cost, limit, url]),
    ).toEqual([
      ['edge', 'edge', 0.3, 40, undefined],
      ['cloud', 'cloud', 1.5, 40, CLOUD_URL],
      ['cloud-eu', 'cloud', 2, 40, `${CLOUD_URL}/eu`],
      ['cloud-us', 'cloud', 3, 40, `${CLOUD_URL}/us`],
    ]);
    expect(targetsOf({}).map(({ config }) => config.id)).toEqual(['edge']);
    expect([...namesOf(targetsOf({ CLOUD_REGIONS: REGIONS }))]).toEqual([
      'edge',
      'cloud',
      'cloud-eu',
      'cloud-us',
      'edge-fp32',
      'edge-int8',
    ]);
  });

  const region = (value: unknown, name = 'eu'): TargetVariables => ({
    CLOUD_REGIONS: JSON.stringify({ [name]: value }),
  });
  it.each<[string, TargetVariables, RegExp]>([
    ['CLOUD_REGIONS', { CLOUD_REGIONS: 'eu=https://x' }, /must be JSON/],
    ['CLOUD_REGIONS', { CLOUD_REGIONS: '[]' }, /must be an object/],
    ['CLOUD_REGIONS', region('https://x'), /eu: must be an object with a url/],
    ['CLOUD_REGIONS', region({ url: 'x' }), /eu.url: must be an http/],
    ['CLOUD_REGIONS', region({ url: 'https://x', cost: -1 }), /eu.cost/],
    ['CLOUD_REGIONS', region({ url: 'https://x', price: 1 }), /eu.price: unknown/],
    ['CLOUD_REGIONS', region({ url: 'https://x' }, 'only'), /"only": a name/],
    ['CLOUD_REGIONS', region({ url: 'https://x' }, 'EU'), /"EU": a name/],
    ['CLOUD_COST', { CLOUD_URL, CLOUD_COST: '-1' }, /must be a number from 0/],
    ['EDGE_COST', { EDGE_COST: '1e3' }, /must be a number from 0/],
    ['MAX_IN_FLIGHT', { MAX_IN_FLIGHT: '0' }, /whole number from 1/],
    ['MAX_IN_FLIGHT', { MAX_IN_FLIGHT: '1.5' }, /whole number from 1/],
  ])('%s is refused where it is wrong: %o', (field, variables, message) => {
    expect(() => targetsOf(variables)).toThrow(message);
    expect(() => targetsOf(variables)).toThrow(expect.objectContaining({ field, code: 'unavailable' }));
  });

  it('need the token with regions alone, too', async () => {
    const response = await routerUnderTest({ CLOUD_REGIONS: REGIONS }, false).infer();
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ field: 'CLOUD_TOKEN_SECRET' });
  });
});

describe('regions', () => {
  const regions = () => routerUnderTest({ CLOUD_REGIONS: REGIONS, CLOUD_TOKEN_SECRET: SECRET }, false);
  const urls = ({ seen }: RouterUnderTest) => seen.cloud.map(({ url }) => url.replace(/\/v2.*/, ''));

  it('are asked by name, by place, or not at all', async () => {
    const router = regions();
    expect(said(await router.infer({ [TARGET]: 'cloud-us' }))).toBe('200 cloud-us pinned');
    expect(said(await router.infer({ [TARGET]: 'cloud-eu' }))).toBe('200 cloud-eu pinned');
    expect(said(await router.infer({ [TARGET]: 'cloud' }))).toMatch(/^200 cloud-(eu|us) pinned$/);
    expect(said(await router.infer({ [TARGET]: 'cloud', [EXCLUDE]: 'cloud-eu' }))).toBe(
      '200 cloud-us pinned',
    );
    expect(said(await router.infer({ [EXCLUDE]: 'edge, cloud-us' }))).toBe('200 cloud-eu only-target');
    expect(said(await router.infer({ [TARGET]: 'cloud-only', [EXCLUDE]: 'cloud-us' }))).toBe(
      '200 cloud-eu only-target',
    );
    expect(urls(router).slice(0, 2)).toEqual([`${CLOUD_URL}/us`, `${CLOUD_URL}/eu`]);
    const { targets } = RoutingView.parse(await (await router.ask('/v1/routing')).json());
    expect(Object.keys(targets)).toEqual(['edge', 'cloud', 'cloud-eu', 'cloud-us']);
    expect(targets['cloud-us']!.requests).toBeGreaterThan(0);
    expect(targets.cloud.configured).toBe(false);
    expect(await (await router.ask('/metrics')).text()).toContain('causeway_in_flight{target="cloud-eu"} 0');
  });

  it('fall back to each other', async () => {
    const router = regions();
    router.answers.cloud = ({ url }) =>
      url.includes('/eu/') ? json({}, { status: 500 }) : json({ by: 'us' });
    await router.infer({ [TARGET]: 'cloud-us' });
    await router.infer({ [TARGET]: 'cloud-us' });
    // Nothing is known of the other one: it may be tried, and fails.
    for (let i = 0; i < 5; i++)
      expect((await router.infer({ [TARGET]: 'cloud-only' })).headers.get(TARGET)).toBe('cloud-us');
  });

  it('are bound by what a request may cost', async () => {
    const router = regions();
    expect(said(await router.infer({ [TARGET]: 'cloud', [CEILING]: '2' }))).toBe('200 cloud-eu pinned');
    const none = await router.infer({ [TARGET]: 'cloud', [CEILING]: '1.99' });
    expect(none.status).toBe(422);
    expect(await none.json()).toMatchObject({
      code: 'unprocessable',
      error: expect.stringMatching(/cloud.*1.99 millionths/),
      field: TARGET,
    });
    const fieldOf = async (headers: Record<string, string>) =>
      ((await (await router.infer(headers)).json()) as { field?: string }).field;
    expect(await fieldOf({ [TARGET]: 'cloud-only', [EXCLUDE]: 'cloud-eu,cloud-us', [CEILING]: '9' })).toBe(
      EXCLUDE,
    );
  });
});

describe('data that must not leave', () => {
  it.each([
    ['edge-only', { [TARGET]: 'edge-only' }],
    ['an exclusion', { [EXCLUDE]: 'cloud' }],
  ])('stays: %s, also when the edge fails', async (_, headers) => {
    const router = routerUnderTest();
    expect(said(await router.infer(headers))).toBe('200 edge only-target');
    router.answers.edge = refuse;
    for (let i = 0; i < 7; i++) expect(said(await router.infer(headers))).toBe('502 edge only-target');
    expect(router.seen.cloud).toEqual([]);
  });
});

describe('a wrong word', () => {
  it.each([
    [TARGET, ['', 'Edge', 'moon', 'cloud-eu', 'constructor', 'only']],
    [EXCLUDE, ['', 'moon', 'cloud,', 'edge;cloud', 'auto']],
    [CEILING, ['', '-1', '1e3', 'a dollar', 'NaN', '1.']],
  ])('in %s is refused, naming it', async (field, values) => {
    const router = routerUnderTest();
    for (const value of values) {
      const response = await router.infer({ [field]: value });
      expect([value, response.status]).toEqual([value, 400]);
      expect(await response.json()).toMatchObject({ code: 'invalid', field });
    }
    expect([...router.seen.edge, ...router.seen.cloud]).toEqual([]);
  });
});

describe('variants at the edge', () => {
  /** @param usual most wanted first */
  function withVariants(...variants: readonly ('int8' | 'fp32')[]): RouterUnderTest {
    const router = routerUnderTest();
    const text = tell({ variants });
    const headers: Record<string, string> = text === undefined ? {} : { [TOLD_HEADER]: text };
    router.tell = () => new Response(null, { headers });
    router.answers.edge = (seen) =>
      json(
        {},
        { headers: { ...headers, 'x-causeway-variant': seen.headers.get('x-causeway-variant') ?? 'none' } },
      );
    return router;
  }

  it('are targets, and the edge is told which one is meant', async () => {
    const router = withVariants('int8', 'fp32');
    const one = await router.infer();
    expect(said(one)).toBe('200 edge-int8 no-estimate');
    expect(one.headers.get('x-causeway-variant')).toBe('int8');
    const other = await router.infer({ [TARGET]: 'edge-fp32' });
    expect(said(other)).toBe('200 edge-fp32 pinned');
    expect(other.headers.get('x-causeway-variant')).toBe('fp32');
    expect(other.headers.get('x-causeway-degraded')).toBeNull();
    expect(said(await router.infer({ [TARGET]: 'edge' }))).toMatch(/^200 edge-(int8|fp32) pinned$/);
    const text = await (await router.ask('/metrics')).text();
    expect(text).toMatch(/causeway_requests_total\{target="edge-fp32",reason="pinned",status="200"\} [12]\n/);
    expect(text).toContain('causeway_in_flight{target="edge"} 0');
    const { recent, targets } = RoutingView.parse(await (await router.ask('/v1/routing')).json());
    expect(recent.at(-1)!.target).toBe('edge-int8');
    expect(targets.edge.requests).toBe(3);
  });

  it('are not there where there is one: who asks by name hears so', async () => {
    const router = withVariants('int8');
    expect(said(await router.infer())).toBe('200 edge no-estimate');
    const response = await router.infer({ [TARGET]: 'edge-fp32' });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ error: expect.stringContaining('edge-fp32') });
  });

  it('the less exact one answers, marked, where nothing else is in time', async () => {
    const router = withVariants('fp32', 'int8');
    const { edge } = router.answers;
    router.answers.edge = (seen, signal) => {
      router.pass(seen.headers.get('x-causeway-variant') === 'fp32' ? 800 : 200);
      return edge(seen, signal);
    };
    router.answers.cloud = () => {
      router.pass(2_000);
      return json({});
    };
    for (const target of ['edge-fp32', 'edge-int8', 'cloud']) await router.infer({ [TARGET]: target });
    const inTime = await router.infer({ 'x-causeway-deadline-ms': '20000' });
    expect(said(inTime)).toBe('200 edge-fp32 edge-faster');
    const hasty = await router.infer({ 'x-causeway-deadline-ms': '500' });
    expect(said(hasty)).toBe('200 edge-int8 degraded');
    expect([inTime, hasty].map(({ headers }) => headers.get('x-causeway-degraded'))).toEqual([
      null,
      'variant',
    ]);
    expect(router.seen.edge.at(-1)!.headers.get('x-causeway-variant')).toBe('int8');
  });
});
