/** The router: the one public Worker. Every path, who may ask, and where it goes. */
import { type Context, Hono } from 'hono';
import { errorBody, Fault } from '../../core/errors.ts';
import { CONTENT_TYPE } from '../../core/telemetry/metrics.ts';
import { authorizeClient } from './auth.ts';
import type { Environment } from './environment.ts';
import { routeInference } from './inference.ts';
import { createIsolate } from './isolate.ts';
import { proxyJobs } from './jobs-proxy.ts';
import { dashboard } from './page.ts';

const isolate = createIsolate();
type Router = { Bindings: Environment };
const app = new Hono<Router>();

const hasCloud = ({ CLOUD_URL }: Environment) => CLOUD_URL !== undefined && CLOUD_URL !== '';

app.onError((thrown, c) => {
  const { status, body } = errorBody(thrown);
  if (status === 500) console.error(thrown);
  return c.json(body, status);
});

const infer = (c: Context<Router, '/v2/models/:model/infer'>) => {
  authorizeClient(c.env, c.req.raw, 'inference');
  return routeInference(c.env, isolate, c.req.raw, c.req.path, c.req.param('model'));
};
app.post('/v2/models/:model/infer', infer);
app.post('/v2/models/:model/versions/:version/infer', infer);
const inform = (c: Context<Router>) => {
  authorizeClient(c.env, c.req.raw, 'inference');
  return routeInference(c.env, isolate, c.req.raw, c.req.path, '');
};
app.get('/v2', inform);
app.get('/v2/*', inform);

app.get('/v1/routing', (c) => {
  authorizeClient(c.env, c.req.raw, 'read');
  return c.json(isolate.view(hasCloud(c.env), Date.now()));
});
app.on(['GET', 'POST', 'DELETE'], ['/v1/jobs', '/v1/jobs/*', '/v1/models', '/v1/models/*'], (c) => {
  const isRead = c.req.method === 'GET';
  authorizeClient(c.env, c.req.raw, isRead ? 'read' : 'write');
  // A page elsewhere can make a browser send a form, but not JSON, without asking first.
  const type = c.req.header('content-type') ?? '';
  if (c.req.method === 'POST' && !/^application\/json\b/i.test(type)) {
    throw new Fault('unsupported_media_type', 'content-type: must be application/json');
  }
  return proxyJobs(c.env, c.req.raw);
});

app.get('/metrics', (c) => {
  authorizeClient(c.env, c.req.raw, 'read');
  return c.body(isolate.metrics.text(), 200, { 'content-type': CONTENT_TYPE });
});
app.get('/', dashboard);

/** Paths that exist, and what may be done there: everything else on them is 405, everything else 404. */
const METHODS: readonly (readonly [RegExp, string])[] = [
  [/^\/v2\/models\/[^/]+(\/versions\/[^/]+)?\/infer$/, 'POST'],
  [/^\/v2(\/|$)/, 'GET'],
  [/^\/v1\/(jobs|models)(\/|$)/, 'GET, POST, DELETE'],
  [/^\/(v1\/routing|metrics)?$/, 'GET'],
];
app.notFound((c) => {
  const allowed = METHODS.find(([path]) => path.test(c.req.path))?.[1];
  if (allowed === undefined || allowed.includes(c.req.method)) {
    throw new Fault('not_found', `no such path: ${c.req.path}`);
  }
  c.header('allow', allowed);
  throw new Fault('method_not_allowed', `method: ${c.req.path} takes ${allowed}`, { field: 'method' });
});

export default app;
