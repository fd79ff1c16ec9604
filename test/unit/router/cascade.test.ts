import { describe, expect, it, vi } from 'vitest';
import { Explanation } from '../../../core/contracts/explanation.ts';
import { RoutingView } from '../../../core/contracts/routing.ts';
import { CONSECUTIVE_FAILURES } from '../../../core/routing/ejection.ts';
import { SAVED_RETRIES } from '../../../core/routing/retries.ts';
import {
  type Answering,
  hang,
  json,
  refuse,
  routerUnderTest,
  type RouterUnderTest,
  type Seen,
} from './stand-ins.ts';

const HARD = 'x-causeway-hard';
const said = ({ status, headers }: Response) =>
  [status, ...['target', 'reason', 'degraded'].map((name) => headers.get(`x-causeway-${name}`) ?? '-')].join(
    ' ',
  );

const request = (values: number[]) =>
  JSON.stringify({
    id: 'r',
    inputs: [{ name: 'x', shape: [values.length, 1], datatype: 'FP32', data: values }],
  });
const answer = (model: string, values: number[]) => ({
  model_name: model,
  outputs: [{ name: 'y', shape: [values.length, 1], datatype: 'FP32', data: values }],
});
const valuesOf = async (response: Response) =>
  ((await response.json()) as ReturnType<typeof answer>).outputs[0]!.data;
const inputOf = (body: string) => (JSON.parse(body) as { inputs: { data: number[] }[] }).inputs[0]!.data;

/** Multiplies, as a model would, and says which rows are hard. */
const model =
  (factor: number, headers: Record<string, string> = {}): Answering =>
  ({ body, url }) =>
    json(
      answer(
        url.split('/')[5]!,
        inputOf(body).map((x) => x * factor),
      ),
      { headers },
    );

function cascadeUnderTest(
  hard: string,
  large: string | null = 'big',
  cloud = true,
  variables: Parameters<typeof routerUnderTest>[0] = {},
): RouterUnderTest {
  const router = routerUnderTest(variables, cloud);
  router.answers.edge = model(10, {
    [HARD]: hard,
    ...(large === null ? {} : { 'x-causeway-large': large }),
  });
  router.answers.cloud = model(-1, { 'x-causeway-release': '4' });
  return router;
}

describe('a cascade', () => {
  it('leaves an easy answer alone', async () => {
    const router = cascadeUnderTest('none');
    const response = await router.infer({}, request([1, 2]));
    expect(said(response)).toBe('200 edge no-estimate -');
    expect(response.headers.get(HARD)).toBe('none');
    expect(await valuesOf(response)).toEqual([10, 20]);
    expect(router.seen.cloud).toEqual([]);
  });

  it('asks the larger model where all is hard: the very request, its very answer', async () => {
    const router = cascadeUnderTest('all', 'big/3');
    const response = await router.infer({ 'x-causeway-deadline-ms': '4000' }, request([1, 2]));
    expect(said(response)).toBe('200 cloud hard -');
    expect(await response.json()).toEqual(answer('big', [-1, -2]));
    expect(response.headers.get(HARD)).toBe('all');
    expect(response.headers.get('x-causeway-large')).toBe('big/3');
    expect(response.headers.get('x-causeway-release')).toBe('4');
    expect(response.headers.get('server-timing')).toMatch(
      /^route;dur=[\d.]+, edge;dur=[\d.]+;desc="[^"]+", cloud;dur=[\d.]+;desc="hard, predicted nothing"$/,
    );
    const [seen] = router.seen.cloud;
    expect(new URL(seen!.url).pathname).toBe('/v2/models/big/versions/3/infer');
    expect(seen!.body).toBe(request([1, 2]));
    expect(seen!.headers.get('x-causeway-cascade')).toBe('off');
    expect(Number(seen!.headers.get('x-causeway-deadline-ms'))).toBeLessThanOrEqual(3_950);
  });

  it('asks about the hard rows only, and puts them in their places', async () => {
    const router = cascadeUnderTest('1,3');
    const response = await router.infer({}, request([1, 2, 3, 4]));
    expect(said(response)).toBe('200 cloud hard -');
    expect(await response.json()).toEqual(answer('m', [10, -2, 30, -4]));
    const [seen] = router.seen.cloud;
    expect(JSON.parse(seen!.body)).toEqual(JSON.parse(request([2, 4])));
    expect(seen!.headers.get('x-causeway-cascade')).toBe('part');
  });

  it('asks with all rows a model that refuses some, and remembers that', async () => {
    const router = cascadeUnderTest('1');
    router.answers.cloud = (seen, signal) =>
      seen.headers.get('x-causeway-cascade') === 'part'
        ? json({ error: 'rows change each other' }, { status: 422 })
        : model(-1)(seen, signal);
    expect(await valuesOf(await router.infer({}, request([1, 2])))).toEqual([-1, -2]);
    expect(router.seen.cloud).toHaveLength(2);
    expect(await valuesOf(await router.infer({}, request([3, 4])))).toEqual([-3, -4]);
    expect(router.seen.cloud).toHaveLength(3);
  });

  it("has the small model's answer in time where the large one's begins and does not end", async () => {
    const router = cascadeUnderTest('1');
    let ended = false;
    router.answers.cloud = (_seen, signal) => {
      signal.addEventListener('abort', () => (ended = true));
      router.pass(19_990);
      return new Response(new ReadableStream(), { headers: { 'content-type': 'application/json' } });
    };
    const response = await router.infer({ 'x-causeway-deadline-ms': '20000' }, request([1, 2]));
    expect(said(response)).toMatch(/^200 edge .* deadline$/);
    expect(await valuesOf(response)).toEqual([10, 20]);
    expect(ended).toBe(true);
  });

  it('asks the same model in the cloud where no other is named, and never after the cloud', async () => {
    const router = cascadeUnderTest('all', null);
    expect(said(await router.infer({}, request([1])))).toBe('200 cloud hard -');
    expect(new URL(router.seen.cloud[0]!.url).pathname).toBe('/v2/models/m/infer');
    router.answers.edge = refuse;
    router.answers.cloud = model(-1, { [HARD]: 'all' });
    expect(said(await router.infer({}, request([1])))).toBe('200 cloud fallback -');
  });

  it('begins at the edge, however quick the cloud is', async () => {
    const router = cascadeUnderTest('none');
    const slow: Answering = async (seen, signal) => {
      router.pass(500);
      return model(10, { [HARD]: 'none' })(seen, signal);
    };
    router.answers.edge = slow;
    router.answers.cloud = model(10, { [HARD]: 'none' });
    for (let i = 0; i < 3; i++) await router.infer({ 'x-causeway-target': 'cloud' }, request([1]));
    /** Who was asked first: a late one may be hedged. */
    const asked = async (headers: Record<string, string> = {}) => {
      const before = router.seen.cloud.length;
      await router.infer(headers, request([1]));
      return router.seen.cloud.length > before ? 'cloud' : 'edge';
    };
    // It learns from an answer that there is a cascade, and goes by it then.
    expect(await asked()).toBe('cloud');
    for (let i = 0; i < 3; i++) expect(await asked()).toBe('edge');
    expect(await asked({ 'x-causeway-cascade': 'margin=0.2' })).toBe('edge');
    // The same without a cascade goes where it is quicker.
    expect(await asked({ 'x-causeway-cascade': 'off' })).toBe('cloud');
  });

  it('is told what the request says; a pinned request is in none', async () => {
    const router = cascadeUnderTest('none');
    const heard = () => router.seen.edge.at(-1)!.headers.get('x-causeway-cascade');
    await router.infer({}, request([1]));
    expect(heard()).toBeNull();
    await router.infer({ 'x-causeway-cascade': 'margin=0.2' }, request([1]));
    expect(heard()).toBe('margin=0.2');
    await router.infer({ 'x-causeway-target': 'edge' }, request([1]));
    expect(heard()).toBe('off');
    await router.infer({ 'x-causeway-target': 'edge', 'x-causeway-cascade': 'off' }, request([1]));
    expect(heard()).toBe('off');
    const both = await router.infer({ 'x-causeway-target': 'edge', 'x-causeway-cascade': 'margin=0.2' });
    expect(both.status).toBe(400);
    expect(await both.json()).toMatchObject({ code: 'invalid', field: 'x-causeway-cascade' });
  });
});

async function inFlight(router: RouterUnderTest): Promise<number> {
  const { targets } = RoutingView.parse(await (await router.ask('/v1/routing')).json());
  return targets.cloud.inFlight;
}

describe('an explanation', () => {
  it('tells who was asked about the hard rows, and who was not', async () => {
    const router = cascadeUnderTest('all');
    const explained = async () => {
      const response = await router.ask('/v2/models/m/infer?explain=1', {
        method: 'POST',
        body: request([1]),
        headers: { 'content-type': 'application/json' },
      });
      const { explanation } = (await response.json()) as { explanation: unknown };
      return Explanation.parse(explanation);
    };
    expect(await explained()).toMatchObject({
      decisions: [{ kind: 'first' }, { kind: 'cascade', target: 'cloud', reason: 'hard' }],
      attempts: [
        { target: 'edge', result: 'answered' },
        { target: 'cloud', reason: 'hard', result: 'answered' },
      ],
      target: 'cloud',
      reason: 'hard',
    });
    router.answers.cloud = refuse;
    for (let i = 0; i < CONSECUTIVE_FAILURES; i++) await router.infer({}, request([1]));
    expect(await explained()).toMatchObject({
      decisions: [{ kind: 'first' }, { kind: 'cascade', target: null, reason: null }],
      attempts: [{ target: 'edge' }],
      target: 'edge',
    });
  });
});

describe('a degraded answer', () => {
  const broken =
    (status: number): Answering =>
    () =>
      json({ error: 'x' }, { status });
  const wide: Answering = () =>
    json({ outputs: [{ name: 'y', shape: [1, 2], datatype: 'FP32', data: [1, 2] }] });

  it.each([
    ['cloud-failed', 'all', refuse],
    ['cloud-failed', '0', broken(503)],
    ['cloud-failed', 'all', broken(429)],
    ['cloud-refused', 'all', broken(404)],
    ['cloud-refused', '1', broken(422)],
    ['mismatch', '1', wide],
    ['mismatch', '1', () => new Response('<html>')],
  ])('is the edge’s, marked %s (hard: %s)', async (degraded, hard, cloud) => {
    const router = cascadeUnderTest(hard);
    router.answers.cloud = cloud;
    const response = await router.infer({}, request([1, 2]));
    expect(said(response)).toBe(`200 edge no-estimate ${degraded}`);
    expect(await response.json()).toEqual(answer('m', [10, 20]));
    expect(response.headers.get(HARD)).toBe(hard);
    const metrics = await (await router.ask('/metrics')).text();
    expect(metrics).toContain(`causeway_cascade_answers_total{result="${degraded}"} 1`);
    expect(metrics).toContain('causeway_degraded_total{target="edge",kind="cascade"} 1');
  });

  it('asks a model that is not there once', async () => {
    const router = cascadeUnderTest('1');
    router.answers.cloud = broken(404);
    expect(said(await router.infer({}, request([1, 2])))).toBe('200 edge no-estimate cloud-refused');
    expect(router.seen.cloud).toHaveLength(1);
  });

  it('is none where the small model’s own answer breaks off', async () => {
    const router = cascadeUnderTest('1');
    router.answers.edge = () => {
      const body = new ReadableStream({ pull: (controller) => controller.error(new Error('gone')) });
      return new Response(body, { headers: { [HARD]: '1' } });
    };
    expect((await router.infer({}, request([1, 2]))).status).toBe(502);
  });

  it('is all there is without a cloud', async () => {
    for (const hard of ['all', '0'])
      expect(said(await cascadeUnderTest(hard, 'big', false).infer({}, request([1, 2])))).toBe(
        '200 edge only-target no-cloud',
      );
  });

  it('comes before the deadline where the cloud does not', async () => {
    for (const hard of ['all', '1']) {
      const router = cascadeUnderTest(hard);
      router.answers.cloud = hang;
      const response = await router.infer({ 'x-causeway-deadline-ms': '400' }, request([1, 2]));
      // A tenth is kept: how late a timer rings is the machine's to say.
      expect(Number(router.seen.cloud[0]!.headers.get('x-causeway-deadline-ms'))).toBeLessThanOrEqual(360);
      expect(said(response)).toBe('200 edge no-estimate deadline');
      expect(await valuesOf(response)).toEqual([10, 20]);
    }
  });

  it('does not wait for a cloud that is predicted too late, and finds out when it no longer is', async () => {
    const router = cascadeUnderTest('all');
    router.answers.cloud = (seen, signal) => {
      router.pass(700);
      return model(-1)(seen, signal);
    };
    for (let i = 0; i < 3; i++) expect(said(await router.infer({}, request([1])))).toMatch(/ hard -$/);
    router.answers.cloud = model(-1);
    const inTime = () => router.infer({ 'x-causeway-deadline-ms': '600' }, request([1]));
    const answers: string[] = [];
    for (let second = 0; second < 30 && answers.at(-1) !== '200 cloud hard -'; second++) {
      router.seen.cloud.length = 0;
      // A copy a second is sent for nobody.
      answers.push(said(await inTime()), said(await inTime()));
      expect(router.seen.cloud.length).toBeLessThanOrEqual(answers.at(-1) === '200 cloud hard -' ? 2 : 1);
      await vi.waitFor(async () => expect(await inFlight(router)).toBe(0));
      router.pass(1_000);
    }
    expect(answers[0]).toBe('200 edge edge-first deadline');
    expect(answers.at(-1)).toBe('200 cloud hard -');
  });

  it('does not ask a cloud that is full', async () => {
    const router = cascadeUnderTest('all', 'big', true, { MAX_IN_FLIGHT: '1' });
    const held = Promise.withResolvers<Response>();
    router.answers.cloud = () => held.promise;
    const there = router.infer({ 'x-causeway-target': 'cloud' }, request([1]));
    await vi.waitFor(() => expect(router.seen.cloud).toHaveLength(1));
    const response = await router.infer({}, request([1]));
    expect(said(response)).toMatch(/^200 edge \S+ cloud-full$/);
    expect(await valuesOf(response)).toEqual([10]);
    expect(router.seen.cloud).toHaveLength(1);
    held.resolve(json({}));
    expect((await there).status).toBe(200);
    router.answers.cloud = model(-1);
    expect(said(await router.infer({}, request([1])))).toMatch(/^200 cloud hard/);
  });

  it('does not ask a cloud that is ejected', async () => {
    const router = cascadeUnderTest('all');
    router.answers.cloud = refuse;
    for (let i = 0; i < CONSECUTIVE_FAILURES; i++)
      expect(said(await router.infer({}, request([1])))).toMatch(/ cloud-failed$/);
    router.seen.cloud.length = 0;
    expect(said(await router.infer({}, request([1])))).toBe('200 edge cloud-ejected cloud-ejected');
    expect(router.seen.cloud).toEqual([]);
  });
});

describe('where one region fails', () => {
  /** The larger model at two regions. @param cloud what the first of them does */
  function regions(cloud: Answering): RouterUnderTest {
    const router = cascadeUnderTest('all', 'big', true, {
      CLOUD_REGIONS: JSON.stringify({ eu: { url: 'https://eu.test' } }),
    });
    const well = router.answers.cloud;
    router.answers.cloud = (seen, signal) =>
      seen.url.startsWith('https://eu.test') ? well(seen, signal) : cloud(seen, signal);
    return router;
  }
  const asked = (router: RouterUnderTest) => router.seen.cloud.map(({ url }) => new URL(url).host);

  it.each([
    ['is dead', refuse, 'unreachable'],
    ['fails', () => json({ error: 'x' }, { status: 500 }), 'failed'],
    ['has no room', () => json({}, { status: 503, headers: { 'retry-after': '1' } }), 'failed'],
    ['hangs', hang, 'timeout'],
  ] as const)('that %s, another one is asked', async (_, cloud, ending) => {
    const router = regions(cloud);
    const response = await router.infer({ 'x-causeway-deadline-ms': '1500' }, request([1, 2]));
    expect(said(response)).toBe('200 cloud-eu hard -');
    expect(await valuesOf(response)).toEqual([-1, -2]);
    expect(asked(router)).toEqual(['cloud.test', 'eu.test']);
    expect(response.headers.get('server-timing')).toContain(`desc="hard, ${ending}, `);
    expect(await (await router.ask('/metrics')).text()).toContain(
      'causeway_fallbacks_total{from="cloud",to="cloud-eu"} 1',
    );
  });

  it('none is asked after a refusal, nor one that is excluded, nor a third', async () => {
    const refused = regions(() => json({ error: 'x' }, { status: 404 }));
    expect(said(await refused.infer({}, request([1])))).toMatch(/ cloud-refused$/);
    expect(asked(refused)).toEqual(['cloud.test']);
    const alone = regions(refuse);
    const response = await alone.infer({ 'x-causeway-exclude': 'cloud-eu' }, request([1]));
    expect(said(response)).toMatch(/ cloud-failed$/);
    expect(asked(alone)).toEqual(['cloud.test']);
    const all = regions(refuse);
    all.answers.cloud = refuse;
    expect(said(await all.infer({}, request([1])))).toMatch(/ cloud-failed$/);
    expect(asked(all)).toEqual(['cloud.test', 'eu.test']);
  });

  it('retries are paid for where both fail', async () => {
    const router = regions(refuse);
    // Nothing is ejected that has no room.
    router.answers.cloud = () => json({}, { status: 503, headers: { 'retry-after': '1' } });
    const count = 100;
    for (let i = 0; i < count; i++) await router.infer({}, request([1]));
    expect(router.seen.cloud.length).toBeGreaterThanOrEqual(count + SAVED_RETRIES);
    expect(router.seen.cloud.length).toBeLessThanOrEqual(count + SAVED_RETRIES + count / 10);
  });
});

describe('what must not be asked', () => {
  const CLOUDS = {
    CLOUD_COST: '5',
    CLOUD_REGIONS: JSON.stringify({ eu: { url: 'https://eu.test', cost: 1 } }),
  };
  function regionsUnderTest(): RouterUnderTest {
    const router = routerUnderTest(CLOUDS);
    router.answers.edge = ({ headers, ...seen }, signal) =>
      model(
        10,
        headers.get('x-causeway-cascade') === 'off' ? {} : { [HARD]: 'all', 'x-causeway-large': 'big' },
      )({ headers, ...seen }, signal);
    router.answers.cloud = model(-1);
    return router;
  }
  const hosts = (router: RouterUnderTest) => router.seen.cloud.map(({ url }) => new URL(url).host);
  const cascade = { 'x-causeway-cascade': 'threshold=0.9' };

  it.each([
    ['region', { 'x-causeway-exclude': 'cloud-eu' }, '200 cloud hard -', ['cloud.test']],
    ['price', { 'x-causeway-cost-ceiling': '2' }, '200 cloud-eu hard -', ['eu.test']],
    ['price of all', { 'x-causeway-cost-ceiling': '0.5' }, '200 edge only-target no-cloud', []],
  ])('is not asked for the larger model either: a %s', async (_what, headers, expected, asked) => {
    const router = regionsUnderTest();
    const response = await router.infer({ ...cascade, ...headers }, request([1]));
    expect(said(response).replace('edge-first', 'only-target')).toBe(expected);
    expect(hosts(router)).toEqual(asked);
  });

  it.each([
    ['nowhere', '{"exclude":["cloud"]}', ['edge', 'edge']],
    ['in the other region', '{"exclude":["cloud-eu"]}', ['cloud', 'cloud']],
    // Of the one nothing is known.
    ['anywhere, nothing being said', undefined, ['cloud', 'cloud-eu']],
  ])('is asked %s for the larger model, as its own release says', async (_what, text, expected) => {
    const router = regionsUnderTest();
    router.answers.cloud = model(-1, text === undefined ? {} : { 'x-causeway-routing': text });
    const about: string[] = [];
    router.tell = (url) => {
      about.push(new URL(url).pathname);
      const headers: Record<string, string> = text === undefined ? {} : { 'x-causeway-routing': text };
      return new Response(null, { headers: url.endsWith('/big') ? headers : {} });
    };
    for (const target of expected)
      expect(said(await router.infer(cascade, request([1])))).toBe(
        target === 'edge' ? '200 edge edge-first no-cloud' : `200 ${target} hard -`,
      );
    expect(router.seen.cloud).toHaveLength(expected.filter((target) => target !== 'edge').length);
    // The first request found out.
    expect(about.filter((path) => path === '/v2/models/big')).toHaveLength(1);
  });

  it('is not asked where nobody says whether the larger model’s requests may leave', async () => {
    const router = regionsUnderTest();
    router.tell = (url, signal) => (url.endsWith('/big') ? hang({} as Seen, signal) : new Response());
    const headers = { ...cascade, 'x-causeway-deadline-ms': '400' };
    expect(said(await router.infer(headers, request([1])))).toBe('200 edge edge-first no-cloud');
    expect(hosts(router)).toEqual([]);
  });

  it.each(['edge-only', 'exclude', 'release', 'pin'])('makes an end of the cascade: %s', async (by) => {
    const router = regionsUnderTest();
    if (by === 'release')
      router.tell = () => new Response(null, { headers: { 'x-causeway-routing': '{"exclude":["cloud"]}' } });
    const headers: Record<string, string> =
      by === 'edge-only'
        ? { ...cascade, 'x-causeway-target': 'edge-only' }
        : by === 'exclude'
          ? { ...cascade, 'x-causeway-exclude': 'cloud' }
          : by === 'pin'
            ? { 'x-causeway-target': 'edge' }
            : cascade;
    expect(said(await router.infer(headers, request([1])))).toMatch(/^200 edge \S+ -$/);
    expect(router.seen.edge.at(-1)!.headers.get('x-causeway-cascade')).toBe('off');
    expect(router.seen.cloud).toEqual([]);
  });
});
