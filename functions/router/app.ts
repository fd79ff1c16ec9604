/** The router's public surface: every path, who may ask, and where it goes. */
import { type Context, type ExecutionContext, Hono } from 'hono';
import { RESPONSE_HEADERS } from '../../core/contracts/headers.ts';
import { errorBody, Fault } from '../../core/errors.ts';
import { serverTiming } from '../../core/telemetry/server-timing.ts';
import { CONTENT_TYPE } from '../../core/telemetry/metrics.ts';
import { type RandomHex, type Trace, traceHeaders, traceOf } from '../../core/telemetry/trace.ts';
import type { Upstream } from './attempt.ts';
import { type Access, authorize, cloudAuthorizer } from './auth.ts';
import { createDashboard, type Dashboard, type DashboardFiles } from './dashboard.ts';
import { type Environment, type Fetcher, readConfig } from './environment.ts';
import { withExplanation } from './explained.ts';
import { createExplainer, type Explainer } from './explainer.ts';
import { type Asked, type InferenceContext, routeInference } from './inference.ts';
import { createExchange, type Exchange } from './exchange.ts';
import { createIsolate } from './isolate.ts';
import { announceRelease } from './releases.ts';
import { createRuleBook } from './rules.ts';
import { namesOf } from './targets.ts';
import { proxyJobs } from './jobs-proxy.ts';
import { readInferUrl, wantsExplanation } from './request.ts';

export interface RouterOptions {
  readonly dashboard: DashboardFiles;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
  /** Unix milliseconds. */
  readonly wallClock: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly randomHex: RandomHex;
  /** The way to the cloud. */
  readonly internet: Fetcher;
}

export interface Router {
  fetch(
    request: Request,
    environment: Environment,
    execution: ExecutionContext,
  ): Response | Promise<Response>;
}

/** One request, as the handlers take it. */
interface Call {
  readonly request: Request;
  readonly environment: Environment;
  readonly execution: Pick<ExecutionContext, 'waitUntil'>;
}
type RouterContext = Context<{ Bindings: Environment }>;
type Handler<Rest extends unknown[] = []> = (
  call: Call,
  trace: Trace,
  deployment: Deployment,
  ...rest: Rest
) => Promise<Response> | Response;

interface Deployment extends InferenceContext {
  readonly jobs: Upstream | undefined;
  readonly exchange: Exchange;
}

function deploy(environment: Environment, options: RouterOptions): Deployment {
  const config = readConfig(environment);
  const { clock, wallClock, random, randomHex, internet } = options;
  const authorization = cloudAuthorizer(config.tokenSecret, wallClock);
  const at = (origin: string): Upstream => ({ fetcher: internet, origin, authorization, binding: undefined });
  const { policy, targets } = config;
  const configs = targets.map((target) => target.config);
  const isolate = createIsolate({ policy, targets: configs, clock, wallClock, random });
  const edge: Upstream = {
    fetcher: environment.INFERENCE,
    // A service binding looks at the path only.
    origin: 'http://inference',
    authorization: undefined,
    binding: environment.INFERENCE,
  };
  const upstreams = new Map(
    targets.map(({ config: { id }, url }) => [id, url === undefined ? edge : at(url)]),
  );
  const rules = createRuleBook({ upstreams, isHealthy: isolate.isHealthy, clock });
  return {
    config,
    clock,
    isolate,
    exchange: createExchange({ isolate, rules, points: environment.POP, clock, randomHex }),
    upstreams,
    names: namesOf(targets),
    rules,
    jobs: config.jobsUrl === undefined ? undefined : at(config.jobsUrl),
  };
}

/** An answer to HEAD. A body that nobody reads keeps its connection open: an event stream's for as long as it goes on. */
async function withoutBody(response: Response): Promise<Response> {
  await response.body?.cancel().catch(() => undefined);
  return new Response(null, response);
}

/** Cloudflare's data centre that took the request, where it says so. */
const coloOf = (request: Request) => (request as { readonly cf?: { readonly colo?: string } }).cf?.colo;

export function createRouter(options: RouterOptions): Router {
  const { randomHex } = options;
  /** An isolate has one environment for life, but gets it with a request. */
  let deployment: Deployment | undefined;
  /** Kept when finished: a promise could die with the request that began it. */
  let dashboard: Dashboard | undefined;

  const faultResponse = (thrown: unknown, headers: Record<string, string>): Response => {
    const { status, body } = errorBody(thrown);
    // Of a thrown value that is no Fault the client sees nothing, so the operator must.
    if (!(thrown instanceof Fault)) console.error(thrown);
    deployment?.isolate.refused(status, thrown instanceof Fault ? thrown.reason : undefined);
    if (thrown instanceof Fault && thrown.retryAfterS !== undefined)
      headers['retry-after'] = String(thrown.retryAfterS);
    if (thrown instanceof Fault && thrown.reason !== undefined)
      headers[RESPONSE_HEADERS.reason] = thrown.reason;
    return Response.json(body, { status, headers });
  };

  /** All of the time was the router's. */
  const timed = (trace: Trace, began: number): Record<string, string> => ({
    ...traceHeaders(trace),
    [RESPONSE_HEADERS.serverTiming]: serverTiming([{ name: 'route', ms: options.clock() - began }]),
  });

  const named = (c: Context) => traceHeaders(traceOf(c.req.raw.headers, randomHex));

  /** Who may ask. The handler puts the trace on its answer. */
  const guarded =
    <Rest extends unknown[]>(
      access: Access | ((method: string) => Access),
      handler: Handler<Rest>,
    ): ((call: Call, ...rest: Rest) => Promise<Response>) =>
    async (call, ...rest) => {
      const { request, environment } = call;
      const trace = traceOf(request.headers, randomHex);
      const began = options.clock();
      try {
        deployment ??= deploy(environment, options);
        authorize(deployment.config, request, typeof access === 'string' ? access : access(request.method));
        const response = await handler(call, trace, deployment, ...rest);
        return request.method === 'HEAD' ? await withoutBody(response) : response;
      } catch (thrown) {
        return faultResponse(thrown, timed(trace, began));
      }
    };

  const answer = (
    { request, execution }: Call,
    trace: Trace,
    context: Deployment,
    asked: Asked,
    explainer?: Explainer,
  ): Promise<Response> => {
    // Kept alive when the client goes away, so that it is counted out again.
    const defer = (going: Promise<unknown>) => execution.waitUntil(going.catch(() => undefined));
    const work = routeInference(context, request, asked, trace, defer, explainer);
    defer(work);
    const exchange = context.exchange(() => coloOf(request), work);
    if (exchange !== undefined) defer(exchange);
    return work;
  };
  const inference = guarded('inference', (call, trace, context, asked: Asked) =>
    answer(call, trace, context, asked),
  );
  /** What the router knows is told to those who may read /v1/routing, whoever may ask a model. */
  const explained = guarded('read', async (call, trace, context, asked: Asked) => {
    const began = context.clock();
    const explainer = createExplainer(context.config.policy, context.clock);
    const response = await answer(call, trace, context, asked, explainer).catch((thrown: unknown) =>
      faultResponse(thrown, timed(trace, began)),
    );
    const explanation = explainer.explanation(response.status);
    return explanation === undefined ? response : withExplanation(response, explanation);
  });
  const jobs = guarded(
    (method) => (method === 'GET' || method === 'HEAD' ? 'read' : 'write'),
    ({ request }, trace, { jobs: api, config }) => proxyJobs(api, request, config.maxBodyBytes, trace),
  );
  const releases = guarded('write', async ({ request }, trace, context) => {
    const { jobs: api, config, rules, exchange } = context;
    const response = await proxyJobs(api, request, config.maxBodyBytes, trace);
    const tell = () => exchange(() => coloOf(request), Promise.resolve(), true);
    // The channel is moved, whatever comes of telling so.
    await announceRelease(response, rules, traceHeaders(trace), tell).catch(console.error);
    return response;
  });
  const routing = guarded('read', (_call, trace, { isolate }) => {
    return Response.json(isolate.view(), {
      headers: { ...traceHeaders(trace), 'cache-control': 'no-store' },
    });
  });
  const metrics = guarded('inference', (_call, trace, { isolate }) => {
    return new Response(isolate.metricsText(), {
      headers: { ...traceHeaders(trace), 'content-type': CONTENT_TYPE },
    });
  });
  const dashboardOf = async () => (dashboard ??= await createDashboard(options.dashboard));
  const page = async (c: RouterContext) => (await dashboardOf()).page(c.req.raw);
  const file = async (c: RouterContext) => {
    const { version = '', name = '' } = c.req.param() as { version?: string; name?: string };
    const response = (await dashboardOf()).file(c.req.raw, version, name);
    if (response === undefined) throw new Fault('not_found', `no such file: ${c.req.path}`);
    return response;
  };

  const callOf = (c: RouterContext): Call => ({
    request: c.req.raw,
    environment: c.env,
    execution: c.executionCtx,
  });
  const plainly = (handler: (call: Call) => Promise<Response>) => (c: RouterContext) => handler(callOf(c));
  const ofModel = (infers: boolean) => (c: RouterContext) => {
    const { model = '', version } = c.req.param() as { model?: string; version?: string };
    const handler = infers && wantsExplanation(c.req.url) ? explained : inference;
    return handler(callOf(c), { model, version, infers });
  };
  const infer = ofModel(true);
  const inform = ofModel(false);

  /** Of each path the methods it takes; HEAD comes with GET. The first that matches holds. */
  const routes: readonly (readonly [string, readonly string[], (c: RouterContext) => Promise<Response>])[] = [
    ['/v2/models/:model/infer', ['POST'], infer],
    ['/v2/models/:model/versions/:version/infer', ['POST'], infer],
    ['/v2/models/:model', ['GET'], inform],
    ['/v2/models/:model/ready', ['GET'], inform],
    ['/v2/models/:model/versions/:version', ['GET'], inform],
    ['/v2/models/:model/versions/:version/ready', ['GET'], inform],
    ['/v2', ['GET'], inform],
    ['/v2/health/live', ['GET'], inform],
    ['/v2/health/ready', ['GET'], inform],
    ['/v1/routing', ['GET'], plainly(routing)],
    ['/v1/jobs', ['GET', 'POST'], plainly(jobs)],
    ['/v1/jobs/:job', ['GET', 'DELETE'], plainly(jobs)],
    ['/v1/jobs/:job/events', ['GET'], plainly(jobs)],
    ['/v1/jobs/:job/timeline', ['GET'], plainly(jobs)],
    ['/v1/jobs/:job/:action', ['POST'], plainly(jobs)],
    ['/v1/models', ['GET'], plainly(jobs)],
    ['/v1/metrics', ['GET'], plainly(jobs)],
    [
      '/v1/models/:model/releases',
      ['GET', 'POST'],
      (c) => plainly(c.req.method === 'POST' ? releases : jobs)(c),
    ],
    ['/v1/models/:model/channels/:channel', ['POST'], plainly(releases)],
    ['/metrics', ['GET'], plainly(metrics)],
    ['/', ['GET'], page],
    ['/dashboard/:version/:name', ['GET'], file],
  ];

  const app = new Hono<{ Bindings: Environment }>();
  for (const [path, methods, handler] of routes) {
    app.on([...methods], path, handler);
    const allow = methods.join(', ');
    app.all(path, (c) => {
      const fault = new Fault('method_not_allowed', `${c.req.method} is not allowed here, only ${allow}`);
      return faultResponse(fault, { ...named(c), allow });
    });
  }
  app.notFound((c) => faultResponse(new Fault('not_found', `no such path: ${c.req.path}`), named(c)));
  app.onError((thrown, c) => faultResponse(thrown, named(c)));

  return {
    fetch(request, environment, execution) {
      // Nearly every request: finding that out by the table of paths was seen to take a twentieth of a small model's.
      const asked = request.method === 'POST' ? readInferUrl(request.url) : undefined;
      return asked === undefined
        ? app.fetch(request, environment, execution)
        : inference({ request, environment, execution }, { ...asked, infers: true });
    },
  };
}
