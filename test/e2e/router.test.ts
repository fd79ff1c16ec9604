/** The router in workerd, before the real inference Worker and a cloud that does what it is told. */
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { Explanation } from '../../core/contracts/explanation.ts';
import { RoutingView } from '../../core/contracts/routing.ts';
import { CONSECUTIVE_FAILURES } from '../../core/routing/ejection.ts';
import { readDashboard } from './dashboard-files.ts';
import { answerJson, hang, release, type RouterFixture, ROW, startRouter } from './router-fixture.ts';

const SOON = { timeout: 10_000, interval: 50 };
const MIB = 1024 * 1024;
const pin = (target: 'edge' | 'cloud') => ({ 'x-causeway-target': target });

let router: RouterFixture;
beforeAll(async () => {
  router = await startRouter();
  await release(router.store, 'good', 'job_good0000');
  await release(router.store, 'broken', 'job_broken00', true);
});
afterAll(() => router?.stop());
beforeEach(() => {
  router.cloud.answer = answerJson(200, { by: 'cloud' });
  router.cloud.requests.length = 0;
});

const said = ({ status, headers }: Response) =>
  `${status} ${headers.get('x-causeway-target')} ${headers.get('x-causeway-reason')}`;
const get = (path: string, init?: RequestInit) => fetch(router.url + path, init);
const view = async () => RoutingView.parse(await (await get('/v1/routing')).json());

/** Samples of the text format by name and labels; a line that is none fails. */
async function metrics(): Promise<ReadonlyMap<string, number>> {
  const samples = new Map<string, number>();
  for (const line of (await (await get('/metrics')).text()).split('\n')) {
    if (line === '' || /^# (HELP|TYPE) [a-z_]+ .+$/.test(line)) continue;
    const [, series, value] =
      line.match(/^([a-z_]+(?:\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})?) (\S+)$/) ?? [];
    expect(series, line).toBeDefined();
    expect(samples.has(series!), `twice: ${line}`).toBe(false);
    samples.set(series!, Number(value));
  }
  return samples;
}

describe('a request', () => {
  test('is answered by the model at the edge, and explained', async () => {
    const response = await router.infer('good', { 'x-request-id': 'r-1' });
    expect(said(response)).toBe('200 edge no-estimate');
    const { outputs } = (await response.json()) as { outputs: { data: number[] }[] };
    expect(outputs[0]!.data.reduce((sum, each) => sum + each, 0)).toBeCloseTo(1, 5);
    expect(response.headers.get('server-timing')).toMatch(
      /^route;dur=\d+, edge;dur=\d+;desc="predicted nothing"$/,
    );
    expect(response.headers.get('x-request-id')).toBe('r-1');
    expect(response.headers.get('x-causeway-release')).toBe('1');
    expect(response.headers.get('x-causeway-cold')).toBe('1');
  });

  test('reaches the cloud with the router’s token, in the client’s trace, to the byte', async () => {
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
    const traceparent = `00-${trace}-00f067aa0ba902b7-01`;
    const response = await router.infer('good', {
      ...pin('cloud'),
      traceparent,
      authorization: 'Bearer mine',
    });
    expect(said(response)).toBe('200 cloud pinned');
    expect(await response.json()).toEqual({ by: 'cloud' });
    const [seen] = router.cloud.requests;
    expect(seen).toMatchObject({ method: 'POST', path: '/v2/models/good/infer', body: Buffer.from(ROW) });
    expect(seen?.headers['traceparent']).toMatch(
      new RegExp(`^00-${trace}-(?!00f067aa0ba902b7)[0-9a-f]{16}-01$`),
    );
    expect(response.headers.get('traceparent')).toBe(seen?.headers['traceparent']);
  });

  test('may be 4 MiB and no more', async () => {
    const largest = await router.infer('good', pin('cloud'), 'x'.repeat(4 * MIB));
    expect(said(largest)).toBe('200 cloud pinned');
    expect(router.cloud.requests[0]?.body.length).toBe(4 * MIB);
    const larger = await router.infer('good', pin('cloud'), 'x'.repeat(4 * MIB + 1));
    expect(larger.status).toBe(413);
    expect(await larger.json()).toMatchObject({ code: 'too_large', field: 'body' });
  });

  test('is refused by the edge in its own words, and not asked again elsewhere', async () => {
    const malformed = await router.infer('good', pin('edge'), '{"inputs": 1}');
    expect(said(malformed)).toBe('400 edge pinned');
    const unknown = await router.infer('unknown');
    expect(said(unknown)).toMatch(/^404 edge /);
    expect(await unknown.json()).toMatchObject({ code: 'not_found', field: 'model' });
    expect(router.cloud.requests).toEqual([]);
  });

  test('explains itself where it is asked to, beside the answer of the model', async () => {
    await router.infer('good');
    const response = await get('/v2/models/good/infer?explain=1', {
      method: 'POST',
      body: ROW,
      headers: { 'content-type': 'application/json', ...pin('edge') },
    });
    const { explanation, ...answer } = (await response.json()) as Record<string, unknown>;
    expect(answer).toMatchObject({ model_name: 'good', outputs: [{ shape: [1, 2] }] });
    const { decisions, attempts, ...summary } = Explanation.parse(explanation);
    expect(`200 ${summary.target} ${summary.reason}`).toBe(said(response));
    expect(decisions[0]!.targets.map(({ target, excluded }) => [target, excluded])).toEqual([
      ['edge', null],
      ['cloud', 'pinned-elsewhere'],
    ]);
    expect(attempts).toMatchObject([{ target: 'edge', reason: 'pinned', result: 'answered' }]);
  });

  test('for metadata goes to the edge', async () => {
    const response = await get('/v2/models/good');
    expect(said(response)).toBe('200 edge edge-first');
    expect(await response.json()).toMatchObject({ name: 'good', inputs: [{ name: 'x', shape: [-1, 4] }] });
  });
});

describe('a failing target', () => {
  test('the edge: requests fall back, it is ejected, and an answer brings it back', async () => {
    // With less than 6 s the cloud, of which nothing is known for a model not loaded, is never probed.
    const first = await router.infer('broken', { 'x-causeway-deadline-ms': '5000' });
    expect(said(first)).toBe('200 cloud fallback');
    expect(first.headers.get('server-timing')).toMatch(
      /edge;dur=\d+;desc="failed, .*cloud;dur=\d+;desc="predicted /,
    );
    for (let i = 1; i < CONSECUTIVE_FAILURES; i++)
      expect(said(await router.infer('broken', pin('edge')))).toBe('503 edge pinned');
    expect(said(await router.infer('broken'))).toBe('200 cloud edge-ejected');
    expect(said(await router.infer('good'))).toBe('200 cloud edge-ejected');
    expect((await view()).targets.edge.state).toBe('ejected');
    expect(said(await router.infer('good', pin('edge')))).toBe('200 edge pinned');
    expect((await view()).targets.edge.state).toBe('healthy');
    expect(said(await router.infer('good'))).toMatch(
      /^200 edge (edge-faster|no-estimate)$|^200 cloud cloud-faster$/,
    );
  });

  test('the cloud, failing: the edge’s clients do not notice; those who insist see its failure', async () => {
    router.cloud.answer = answerJson(503, { error: 'out of memory', code: 'unavailable' });
    const insisting = await router.infer('good', pin('cloud'));
    expect(said(insisting)).toBe('503 cloud pinned');
    expect(await insisting.json()).toEqual({ error: 'out of memory', code: 'unavailable' });
    for (let i = 0; i < 5; i++) expect((await router.infer('good')).status).toBe(200);
  });

  test('the cloud, hanging: 504 at the deadline', async () => {
    router.cloud.answer = hang;
    const asked = performance.now();
    const response = await router.infer('good', { ...pin('cloud'), 'x-causeway-deadline-ms': '300' });
    const waited = performance.now() - asked;
    expect(said(response)).toBe('504 cloud pinned');
    expect(await response.json()).toMatchObject({ code: 'deadline_exceeded' });
    expect(waited).toBeGreaterThan(290);
    expect(waited).toBeLessThan(1_300);
  });

  test('both, hanging cloud behind a broken edge: an error within the deadline too', async () => {
    router.cloud.answer = hang;
    const asked = performance.now();
    const response = await router.infer('broken', { 'x-causeway-deadline-ms': '3000' });
    // 504 where the cloud came last; 503 where the edge did, or where a slow machine taught that neither is in time.
    expect([503, 504]).toContain(response.status);
    expect(performance.now() - asked).toBeLessThan(4_000);
  });

  test('the cloud, dead: 502, ejected, and back when it lives again', async () => {
    await router.cloud.die();
    for (let i = 0; i < CONSECUTIVE_FAILURES; i++)
      expect(said(await router.infer('good', pin('cloud')))).toBe('502 cloud pinned');
    expect((await view()).targets.cloud.state).toBe('ejected');
    expect(said(await router.infer('good'))).toBe('200 edge cloud-ejected');
    await router.cloud.revive();
    await vi.waitFor(
      async () => expect(said(await router.infer('good', pin('cloud')))).toBe('200 cloud pinned'),
      SOON,
    );
    expect((await view()).targets.cloud.state).toBe('healthy');
  });
});

describe('a client that goes away', () => {
  test('leaves nothing in flight', async () => {
    router.cloud.answer = (_request, response) => {
      setTimeout(() => response.end('{}'), 500);
    };
    const gone = new AbortController();
    const request = fetch(`${router.url}/v2/models/good/infer`, {
      method: 'POST',
      body: ROW,
      headers: { 'content-type': 'application/json', ...pin('cloud') },
      signal: gone.signal,
    });
    await vi.waitFor(() => expect(router.cloud.requests).toHaveLength(1), SOON);
    expect((await view()).targets.cloud.inFlight).toBe(1);
    gone.abort();
    await expect(request).rejects.toThrow('aborted');
    await vi.waitFor(async () => expect((await view()).targets.cloud.inFlight).toBe(0), SOON);
  });
});

describe('event streams', () => {
  test('flow through one by one, and end with the client', async () => {
    let closed = false;
    const { promise: begun, resolve } = Promise.withResolvers<(text: string) => void>();
    router.cloud.answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      response.on('close', () => (closed = true));
      response.write(': begun\n\n');
      resolve((text) => response.write(text));
    };
    const gone = new AbortController();
    const response = await get('/v1/jobs/job_12345678/events', { signal: gone.signal });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const send = await begun;
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toBe(': begun\n\n');
    for (const event of ['event: progress\ndata: 1\n\n', 'event: progress\ndata: 2\n\n']) {
      send(event);
      expect((await reader.read()).value).toBe(event);
    }
    gone.abort();
    await expect(reader.read()).rejects.toThrow('aborted');
    await vi.waitFor(() => {
      send(': ping\n\n');
      expect(closed).toBe(true);
    }, SOON);
  });
});

describe('what the router tells', () => {
  test('metrics in the text format, one for every answer', async () => {
    const of = (samples: ReadonlyMap<string, number>) =>
      [...samples]
        .filter(([name]) => name.startsWith('causeway_requests_total'))
        .reduce((sum, [, n]) => sum + n, 0);
    const before = await metrics();
    for (let i = 0; i < 7; i++) await router.infer('good', pin('edge'));
    const after = await metrics();
    expect(of(after) - of(before)).toBe(7);
    const count = 'causeway_target_latency_seconds_count{target="edge"}';
    expect(after.get(count)! - before.get(count)!).toBe(7);
    expect(after.get('causeway_target_latency_seconds_bucket{target="edge",le="+Inf"}')).toBe(
      after.get(count),
    );
    expect(after.get('causeway_in_flight{target="edge"}')).toBe(0);
    expect(after.get('causeway_ejections_total{target="edge"}')).toBeGreaterThanOrEqual(1);
    expect(after.get('causeway_fallbacks_total{from="edge",to="cloud"}')).toBeGreaterThanOrEqual(1);
  });

  test('its last decisions, newest first', async () => {
    await router.infer('good', pin('edge'));
    const { recent, targets } = await view();
    expect(recent[0]).toMatchObject({ model: 'good', target: 'edge', reason: 'pinned', status: 200 });
    expect(targets.edge.p50Ms).toBeGreaterThanOrEqual(0);
  });

  test('the dashboard, whole, under a policy', async () => {
    const page = await get('/');
    expect(page.headers.get('content-security-policy')).toMatch(/default-src 'none'.*script-src 'self'/);
    const html = await page.text();
    const folder = /src="(\/dashboard\/[0-9a-f]+\/)main\.js"/.exec(html)?.[1];
    const { 'index.html': index, ...others } = await readDashboard();
    expect(html).toBe(index?.replaceAll('"/dashboard/', `"${folder}`));
    // The bundle has what lies in the folder, no file forgotten.
    for (const [name, text] of Object.entries(others)) {
      const file = await get(`${folder}${name}`);
      expect(file.status, name).toBe(200);
      expect(await file.text(), name).toBe(text);
    }
  });
});
