import { describe, expect, it } from 'vitest';
import { BASE_EJECTION_MS } from '../../../core/routing/ejection.ts';
import type { Environment } from '../../../functions/router/environment.ts';
import { hang, json, refuse, routerUnderTest } from './stand-ins.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const post = (headers: Record<string, string> = {}, body = '{}'): RequestInit => ({
  method: 'POST',
  body,
  headers: { ...JSON_TYPE, ...headers },
});

describe('paths', () => {
  it.each(['/nope', '/v2/nope', '/v2/models', '/v1', '/v1/nope', '/v1/jobs/a/b/c', '/index.html'])(
    '%s is not there',
    async (path) => {
      const response = await routerUnderTest().ask(path);
      expect(response.status).toBe(404);
      expect(await response.json()).toEqual({ error: `no such path: ${path}`, code: 'not_found' });
    },
  );

  it.each([
    ['DELETE', '/v2', 'GET'],
    ['GET', '/v2/models/m/infer', 'POST'],
    ['POST', '/v2/models/m', 'GET'],
    ['PUT', '/v1/jobs', 'GET, POST'],
    ['POST', '/v1/jobs/job_1', 'GET, DELETE'],
    ['POST', '/v1/jobs/job_1/timeline', 'GET'],
    ['POST', '/v1/routing', 'GET'],
    ['POST', '/metrics', 'GET'],
    ['OPTIONS', '/v1/jobs', 'GET, POST'],
    ['POST', '/', 'GET'],
  ])('%s %s is not allowed, only %s', async (method, path, allow) => {
    const router = routerUnderTest();
    const response = await router.ask(path, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe(allow);
    expect(await response.json()).toMatchObject({ code: 'method_not_allowed' });
    expect(router.seen).toEqual({ edge: [], cloud: [], jobs: [] });
  });

  it('answers HEAD as GET, without the body', async () => {
    const router = routerUnderTest();
    const response = await router.ask('/v2', { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([200, '']);
    expect(router.seen.edge[0]?.method).toBe('GET');
  });

  it('says nothing of what broke inside', async () => {
    const router = routerUnderTest({ INFERENCE: undefined as unknown as Environment['INFERENCE'] }, false);
    const response = await router.infer();
    expect(response.status).toBe(502);
    expect(await response.json()).toEqual({
      error: 'the edge target could not be reached',
      code: 'bad_gateway',
    });
  });
});

describe('ids', () => {
  it.each(['/v2', '/v1/jobs', '/v1/routing', '/metrics', '/nope', '/v2/models/m/infer'])(
    'are on every answer: %s',
    async (path) => {
      const { headers } = await routerUnderTest().ask(path, { headers: { 'x-request-id': 'r2' } });
      expect(headers.get('x-request-id')).toBe('r2');
      expect(headers.get('traceparent')).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    },
  );
});

describe('the jobs and models API', () => {
  it('is asked with the token, the ids and what means something there', async () => {
    const router = routerUnderTest();
    const response = await router.ask(
      '/v1/jobs?limit=3',
      post({ 'idempotency-key': 'k', cookie: 'c', 'x-request-id': 'r9' }, '{"a":1}'),
    );
    expect(await response.json()).toEqual({ by: 'jobs' });
    const [seen] = router.seen.jobs;
    expect(seen).toMatchObject({ url: 'https://jobs.test/v1/jobs?limit=3', method: 'POST', body: '{"a":1}' });
    expect(seen?.headers.get('idempotency-key')).toBe('k');
    expect(seen?.headers.get('x-request-id')).toBe('r9');
    expect(seen?.headers.get('cookie')).toBeNull();
    expect(response.headers.get('x-request-id')).toBe('r9');
  });

  it('passes statuses, locations and failures through', async () => {
    const router = routerUnderTest();
    router.answers.jobs = () =>
      json({ error: 'no' }, { status: 422, headers: { location: '/v1/jobs/job_1', 'set-cookie': 'a=b' } });
    const response = await router.ask('/v1/jobs', post());
    expect(response.status).toBe(422);
    expect(response.headers.get('location')).toBe('/v1/jobs/job_1');
    expect(response.headers.get('set-cookie')).toBeNull();
    router.answers.jobs = refuse;
    expect((await router.ask('/v1/jobs')).status).toBe(502);
    expect((await routerUnderTest({}, false).ask('/v1/jobs')).status).toBe(503);
  });

  it('takes no writes that a page elsewhere could send', async () => {
    const router = routerUnderTest();
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=a',
      '',
    ])
      expect((await router.ask('/v1/jobs', post({ 'content-type': type }))).status).toBe(415);
    expect(router.seen.jobs).toEqual([]);
    expect((await router.ask('/v1/jobs/job_1', { method: 'DELETE' })).status).toBe(200);
  });

  it('streams: an event reaches the client before the next one is there', async () => {
    const router = routerUnderTest();
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    router.answers.jobs = () => new Response(readable, { headers: { 'content-type': 'text/event-stream' } });
    const response = await router.ask('/v1/jobs/job_1/events', { headers: { 'last-event-id': '4' } });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(router.seen.jobs[0]?.headers.get('last-event-id')).toBe('4');
    const reader = response.body!.getReader();
    for (const event of ['one', 'two']) {
      void writer.write(new TextEncoder().encode(event));
      expect(new TextDecoder().decode((await reader.read()).value)).toBe(event);
    }
    await reader.cancel();
  });

  it('makes a token anew every 30 s, not for each request', async () => {
    const router = routerUnderTest();
    const tokens = async () => {
      await router.ask('/v1/jobs');
      return router.seen.jobs.at(-1)?.headers.get('authorization');
    };
    const first = await tokens();
    router.pass(BASE_EJECTION_MS - 1);
    expect(await tokens()).toBe(first);
    router.pass(1);
    expect(await tokens()).not.toBe(first);
  });
});

describe('who may ask', () => {
  const token = { authorization: 'Bearer let-me-in' };
  const open = {};
  const closed = { ALLOW_ANONYMOUS: '0' };
  const locked = { API_TOKEN: 'let-me-in', ALLOW_ANONYMOUS: '' };
  const all = { ...locked, REQUIRE_AUTH: '1' };
  const requests = {
    read: ['/v1/jobs', {}],
    routing: ['/v1/routing', {}],
    write: ['/v1/jobs', post()],
    cancel: ['/v1/jobs/job_1', { method: 'DELETE' }],
    infer: ['/v2/models/m/infer', post()],
    metrics: ['/metrics', {}],
    page: ['/', {}],
  } as const;

  it.each([
    [
      'anonymous local',
      open,
      {},
      { read: 200, routing: 200, write: 200, cancel: 200, infer: 200, metrics: 200, page: 200 },
    ],
    [
      'no token set',
      closed,
      {},
      { read: 200, routing: 200, write: 401, cancel: 401, infer: 200, metrics: 200, page: 200 },
    ],
    [
      'token not given',
      locked,
      {},
      { read: 401, routing: 401, write: 401, cancel: 401, infer: 200, metrics: 200, page: 200 },
    ],
    [
      'token given',
      locked,
      token,
      { read: 200, routing: 200, write: 200, cancel: 200, infer: 200, metrics: 200, page: 200 },
    ],
    [
      'token for all, not given',
      all,
      {},
      { read: 401, routing: 401, write: 401, cancel: 401, infer: 401, metrics: 401, page: 200 },
    ],
    [
      'token for all, given',
      all,
      token,
      { read: 200, routing: 200, write: 200, cancel: 200, infer: 200, metrics: 200, page: 200 },
    ],
  ] as const)('%s', async (_, variables, headers, expected) => {
    const router = routerUnderTest(variables);
    const statuses: Record<string, number> = {};
    for (const [name, [path, init]] of Object.entries(requests) as [
      string,
      readonly [string, RequestInit],
    ][]) {
      const given = { ...(init.headers as Record<string, string> | undefined), ...headers };
      statuses[name] = (await router.ask(path, { ...init, headers: given })).status;
    }
    expect(statuses).toEqual(expected);
  });

  it.each([
    '',
    'let-me-in',
    'Bearer ',
    'Bearer let-me-i',
    'Bearer let-me-in2',
    'bearer let-me-in',
    'Basic bGV0',
  ])('refuses %j', async (authorization) => {
    const response = await routerUnderTest(locked).ask('/v1/jobs', { headers: { authorization } });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ code: 'unauthorized', field: 'authorization' });
  });

  describe('where anybody may write', () => {
    const statuses = async (host: string, variables: Partial<Environment> = open) => {
      const router = routerUnderTest(variables);
      const entries = Object.entries({ ...requests, live: ['/v2/health/live', {}] as const });
      const found = entries.map(async ([name, [path, init]]) => {
        const { status } = await router.ask(`@${host}${path}`, init);
        return [name, status] as const;
      });
      return {
        ...Object.fromEntries(await Promise.all(found)),
        asked: Object.values(router.seen).flat().length,
      };
    };

    it.each(['127.0.0.1:8787', 'localhost:1', 'localhost', '[::1]:8787'])(
      '%s is this machine',
      async (host) => {
        const all = { read: 200, routing: 200, write: 200, cancel: 200, infer: 200, metrics: 200 };
        expect(await statuses(host)).toEqual({ ...all, page: 200, live: 200, asked: 5 });
      },
    );

    it.each(['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example'])(
      '%s is not: a rebound name learns nothing and has nothing computed',
      async (host) => {
        const all = { read: 403, routing: 403, write: 403, cancel: 403, infer: 403, metrics: 403 };
        expect(await statuses(host)).toEqual({ ...all, page: 200, live: 403, asked: 0 });
      },
    );

    it('says which names may ask', async () => {
      const response = await routerUnderTest().ask('@evil.example/v1/jobs');
      expect(await response.json()).toEqual({
        code: 'forbidden',
        field: 'host',
        error: expect.stringContaining('127.0.0.1, localhost and [::1]') as string,
      });
    });

    it('does not matter where there is a token, or where nobody may write', async () => {
      const public_ = await statuses('causeway.example', closed);
      expect(public_).toMatchObject({ read: 200, infer: 200, live: 200, write: 401, asked: 3 });
      const both = await statuses('causeway.example', { ...locked, ALLOW_ANONYMOUS: '1' });
      expect(both).toMatchObject({ read: 401, infer: 200, live: 200, write: 401 });
    });
  });
});

describe('a wrong configuration', () => {
  it.each([
    ['CLOUD_TOKEN_SECRET', { CLOUD_TOKEN_SECRET: '' }],
    ['CLOUD_URL', { CLOUD_URL: 'cloud.example' }],
    ['JOBS_URL', { JOBS_URL: 'ftp://x' }],
    ['MAX_BODY_BYTES', { MAX_BODY_BYTES: '4MB' }],
    ['REQUIRE_AUTH', { REQUIRE_AUTH: 'yes', API_TOKEN: 'x' }],
    ['API_TOKEN', { REQUIRE_AUTH: '1' }],
    ['ROUTING_POLICY', { ROUTING_POLICY: 'best' }],
  ] as const)('of %s is said, by name', async (field, variables) => {
    const response = await routerUnderTest(variables).infer();
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ code: 'unavailable', field });
  });
});

describe('metrics', () => {
  it('count answers by target, reason and status, and what else there is to watch', async () => {
    const router = routerUnderTest();
    await router.infer();
    router.answers.edge = refuse;
    await router.infer();
    await router.infer({ 'x-causeway-deadline-ms': 'x' });
    router.answers.cloud = hang;
    // Of a model that nothing is known of: otherwise a slow machine may have it refused at once.
    const hasty = { 'x-causeway-deadline-ms': '20', 'x-causeway-target': 'cloud' };
    await router.ask('/v2/models/n/infer', post(hasty));
    const response = await router.ask('/metrics');
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const lines = (await response.text()).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'causeway_requests_total{target="edge",reason="no-estimate",status="200"} 1',
        'causeway_requests_total{target="cloud",reason="fallback",status="200"} 1',
        'causeway_requests_total{target="cloud",reason="pinned",status="504"} 1',
        'causeway_refused_total{status="400",reason="other"} 1',
        'causeway_attempts_total{target="edge",result="failed"} 1',
        'causeway_attempts_total{target="cloud",result="timeout"} 1',
        'causeway_fallbacks_total{from="edge",to="cloud"} 1',
        'causeway_target_latency_seconds_count{target="edge"} 1',
        'causeway_in_flight{target="cloud"} 0',
        'causeway_ejected{target="edge"} 0',
        'causeway_ejections_total{target="edge"} 0',
      ]),
    );
  });
});

describe('the dashboard', () => {
  /** The page, and the path it loads its script by. */
  async function look(router = routerUnderTest()) {
    const page = await router.ask('/');
    const script = /src="([^"]*)"/.exec(await page.text())?.[1] ?? '';
    return { router, page, script };
  }

  it('runs scripts and styles of its own origin, nothing inline, and makes no HTML of text', async () => {
    const { page } = await look();
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const policy = page.headers.get('content-security-policy')!.split('; ');
    expect(policy).toEqual(
      expect.arrayContaining([
        `default-src 'none'`,
        `script-src 'self'`,
        `style-src 'self'`,
        `frame-ancestors 'none'`,
        `require-trusted-types-for 'script'`,
      ]),
    );
    expect(policy.join()).not.toMatch(/unsafe|\*|data:/);
  });

  it('serves its files by their digest, as what they are, to be kept for good', async () => {
    const { router, page, script } = await look();
    expect(script).toMatch(/^\/dashboard\/[0-9a-f]{16}\/main\.js$/);
    expect(page.headers.get('link')).toBe(`<${script}>; rel=modulepreload`);
    const main = await router.ask(script);
    expect(main.status).toBe(200);
    expect(await main.text()).toBe('export const a = 1;');
    expect(main.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(main.headers.get('cache-control')).toMatch(/max-age=31536000, immutable/);
    expect(main.headers.get('x-content-type-options')).toBe('nosniff');
    const style = await router.ask(script.replace('main.js', 'base.css'));
    expect(style.headers.get('content-type')).toBe('text/css; charset=utf-8');
  });

  it('asks for the page each time, and answers that it has not changed', async () => {
    const { router, page, script } = await look();
    expect(page.headers.get('cache-control')).toBe('no-cache');
    const tag = page.headers.get('etag')!;
    for (const [path, known] of [
      ['/', tag],
      ['/', `W/${tag}`],
      [script, `"other", ${tag}`],
    ] as const) {
      const again = await router.ask(path, { headers: { 'if-none-match': known } });
      expect(again.status).toBe(304);
      expect(await again.text()).toBe('');
    }
    expect((await router.ask('/', { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
  });

  it('has no other files, and none of another version', async () => {
    const { router, script } = await look();
    for (const path of [
      script.replace('main.js', 'other.js'),
      script.replace('main.js', 'toString'),
      script.replace('main.js', 'index.html'),
      script.replace(/[0-9a-f]{16}/, '0123456789abcdef'),
      '/dashboard/main.js',
    ])
      expect((await router.ask(path)).status).toBe(404);
    const posted = await router.ask(script, { method: 'POST' });
    expect(posted.status).toBe(405);
    expect(posted.headers.get('allow')).toBe('GET');
  });

  it('is there without a token, where all else needs one', async () => {
    const { router, page, script } = await look(routerUnderTest({ REQUIRE_AUTH: '1', API_TOKEN: 'x' }));
    expect(page.status).toBe(200);
    expect((await router.ask(script)).status).toBe(200);
    expect((await router.ask('/v1/routing')).status).toBe(401);
  });
});
