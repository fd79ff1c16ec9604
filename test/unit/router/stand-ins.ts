/** A router in this process, with functions where other Workers and the cloud are. */
import { verify } from 'hono/jwt';
import { createRouter } from '../../../functions/router/app.ts';
import type { Environment } from '../../../functions/router/environment.ts';
import { pooledHex } from '../../../functions/router/random-pool.ts';

export const SECRET = 'a secret of at least thirty-two bytes';
export const CLOUD_URL = 'https://cloud.test';
export const JOBS_URL = 'https://jobs.test';

/** What a target was asked. */
export interface Seen {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: string;
}
export type Answering = (seen: Seen, signal: AbortSignal) => Response | Promise<Response>;

/** Signature only: the router's clock is moved by the tests. */
async function checkToken(authorization: string | null): Promise<void> {
  const token = authorization?.replace(/^Bearer /, '') ?? '';
  await verify(token, SECRET, { alg: 'HS256', iat: false, exp: false });
}

export const json = (body: unknown, init: ResponseInit = {}) => Response.json(body, init);

/** Never answers: rejects when it is given up, as fetch does. */
export const hang: Answering = (_seen, signal) =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));

export const refuse: Answering = () => Promise.reject(new TypeError('connection refused'));

/** @param url as it is asked for: tells who is asked */
export type Telling = (url: string, signal: AbortSignal) => Response | Promise<Response>;

export interface RouterUnderTest {
  ask(path: string, init?: RequestInit): Promise<Response>;
  infer(headers?: Record<string, string>, body?: string): Promise<Response>;
  /** Milliseconds that the clock is moved on. */
  pass(ms: number): void;
  answers: { edge: Answering; cloud: Answering; jobs: Answering };
  /** What is told where the router asks for a model's rules alone: nothing, unless a test says otherwise. */
  tell: Telling;
  readonly seen: { readonly edge: Seen[]; readonly cloud: Seen[]; readonly jobs: Seen[] };
}

export function routerUnderTest(variables: Partial<Environment> = {}, cloud = true): RouterUnderTest {
  const seen: RouterUnderTest['seen'] = { edge: [], cloud: [], jobs: [] };
  const answers: RouterUnderTest['answers'] = {
    edge: () => json({ by: 'edge' }),
    cloud: () => json({ by: 'cloud' }),
    jobs: () => json({ by: 'jobs' }),
  };
  let passed = 0;
  const start = Date.now();
  const fetcher = (of: (url: string) => keyof typeof answers) => ({
    async fetch(url: string, init: RequestInit): Promise<Response> {
      const request = new Request(url, { ...init, signal: null });
      const who = of(url);
      if (request.method === 'HEAD') return router.tell(url, init.signal as AbortSignal);
      const one = { url, method: request.method, headers: request.headers, body: await request.text() };
      seen[who].push(one);
      if (who !== 'edge') await checkToken(request.headers.get('authorization'));
      return answers[who](one, init.signal as AbortSignal);
    },
  });
  const edge = fetcher(() => 'edge');
  const aborts = new Map<string, AbortController>();
  const environment: Environment = {
    INFERENCE: {
      ...edge,
      async infer({ model, version, variant, body, deadlineMs, cascade, ticket }) {
        const abort = new AbortController();
        aborts.set(ticket, abort);
        const path = `${model}${version === undefined ? '' : `/versions/${version}`}/infer`;
        return edge.fetch(`http://inference/v2/models/${path}`, {
          method: 'POST',
          body: body as Uint8Array<ArrayBuffer>,
          headers: {
            'content-type': 'application/json',
            'x-causeway-deadline-ms': String(Math.ceil(deadlineMs)),
            ...(variant === undefined ? {} : { 'x-causeway-variant': variant }),
            ...(cascade === undefined ? {} : { 'x-causeway-cascade': cascade }),
          },
          signal: abort.signal,
        });
      },
      async cancel(ticket) {
        aborts.get(ticket)?.abort();
      },
    },
    ...(cloud ? { CLOUD_URL, JOBS_URL: `${JOBS_URL}/`, CLOUD_TOKEN_SECRET: SECRET } : {}),
    ALLOW_ANONYMOUS: '1',
    ...variables,
  };
  const created = createRouter({
    dashboard: {
      'index.html': '<title>t</title><script type="module" src="/dashboard/main.js"></script>',
      'main.js': 'export const a = 1;',
      'base.css': 'a { color: red }',
    },
    clock: () => performance.now() + passed,
    wallClock: () => start + passed,
    random: () => 1 - 2 ** -32,
    randomHex: pooledHex((bytes) => crypto.getRandomValues(bytes)),
    internet: fetcher((url) => (url.startsWith(JOBS_URL) ? 'jobs' : 'cloud')),
  });
  const ask: RouterUnderTest['ask'] = async (path, init) =>
    // `@host/path` asks under another name.
    created.fetch(
      new Request(path.startsWith('@') ? `http://${path.slice(1)}` : `http://127.0.0.1:8787${path}`, init),
      environment,
      { waitUntil: () => {}, passThroughOnException: () => {}, props: {} },
    );
  const router: RouterUnderTest = {
    ask,
    infer: (headers = {}, body = '{"inputs":[]}') =>
      ask('/v2/models/m/infer', {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json', ...headers },
      }),
    pass: (ms) => {
      passed += ms;
    },
    tell: () => new Response(),
    answers,
    seen,
  };
  return router;
}
