/**
 * The Open Inference Protocol v2 over HTTP, one app for the edge and the cloud so that both answer alike.
 * github.com/kserve/open-inference-protocol, "HTTP/REST".
 */
import { type Context, Hono } from 'hono';
import { releaseKey } from '../contracts/keys.ts';
import { REQUEST_HEADERS, TARGET_HEADERS } from '../contracts/headers.ts';
import { errorBody, Fault } from '../errors.ts';
import type { Defer } from './background.ts';
import { readJsonBytes } from './body.ts';
import { QUEUE_FULL_RETRY_S } from './config.ts';
import { modelMetadata, serverMetadata } from './protocol/response.ts';
import { createInferenceService, type InferenceResult, type ServiceOptions } from './service.ts';

export interface InferenceAppOptions extends ServiceOptions {
  /** What keeps a request's work alive after its answer; nothing by default. */
  readonly defer?: (context: Context) => Defer;
  /** Refuses a request by its Authorization header, with a Fault; nobody is refused by default. */
  readonly authorize?: (authorization: string | undefined) => Promise<void>;
}

const JSON_TYPE = 'application/json';
const noDefer: Defer = () => undefined;

type Handler = (context: Context) => Promise<Response> | Response;

export function createInferenceApp(options: InferenceAppOptions): Hono {
  const { runtime, store, config, clock, report } = options;
  const deferOf = options.defer ?? (() => noDefer);
  const service = createInferenceService(options);
  const metadata = serverMetadata(runtime.name);
  let inFlight = 0;

  const faultResponse = (thrown: unknown, headers: Record<string, string> = {}): Response => {
    const { status, body } = errorBody(thrown);
    if (status >= 500 && !isOrdinary(thrown)) report(thrown);
    const retryAfterS = thrown instanceof Fault ? thrown.retryAfterS : undefined;
    if (retryAfterS !== undefined) headers['retry-after'] = String(retryAfterS);
    return Response.json(body, { status, headers });
  };

  /** @throws Fault `unavailable` where as many wait as may */
  const refuseWhereFull = () => {
    if (inFlight < config.queueLimit) return;
    const message = `${inFlight} requests are waiting here, as many as may`;
    throw new Fault('unavailable', message, { retryAfterS: QUEUE_FULL_RETRY_S });
  };

  const modelOf = (c: Context) => [c.req.param('model')!, c.req.param('version'), deferOf(c)] as const;

  const infer: Handler = async (c) => {
    const startedAt = clock();
    const [model, version, defer] = modelOf(c);
    const { raw } = c.req;
    const arrival = service.begin(model, version, startedAt);
    let counted = false;
    let outcome: InferenceResult | undefined;
    let thrown: unknown;
    try {
      refuseWhereFull();
      const deadlineAt = startedAt + deadlineOf(raw.headers);
      const body = await readJsonBytes(raw, config.maxBodyBytes);
      refuseWhereFull();
      // Counted from here: a client that goes away while it sends would never be counted out again.
      inFlight += 1;
      counted = true;
      outcome = await service.infer({ model, version, body, deadlineAt }, arrival, defer);
    } catch (caught) {
      thrown = caught;
    }
    arrival.over();
    const headers: Record<string, string> = {
      'content-type': JSON_TYPE,
      [TARGET_HEADERS.inFlight]: String(counted ? inFlight : inFlight + 1),
      [TARGET_HEADERS.serviceMs]: milliseconds(clock() - startedAt),
    };
    if (counted) inFlight -= 1;
    if (outcome === undefined) return faultResponse(thrown, headers);
    headers[TARGET_HEADERS.release] = String(outcome.release);
    headers[TARGET_HEADERS.variant] = outcome.variant;
    headers[TARGET_HEADERS.cold] = outcome.cold ? '1' : '0';
    headers[TARGET_HEADERS.batch] = String(outcome.rows);
    return new Response(outcome.body, { headers });
  };

  const describe: Handler = async (c) => {
    const [model, version, defer] = modelOf(c);
    const { release, versions } = await service.describe(model, version, defer);
    return Response.json(modelMetadata(model, versions, release.signature));
  };

  const modelReady: Handler = async (c) => {
    const release = await service.warm(...modelOf(c));
    return Response.json({ name: release.model, version: String(release.release), ready: true });
  };

  /** Ready where the store answers: everything served comes from it. The key is of no model. */
  const ready: Handler = async () => {
    await store.head(releaseKey('-', 1));
    return Response.json({ ready: true });
  };

  /** Every path has one method; `HEAD` comes with `GET`. */
  const routes: readonly (readonly ['GET' | 'POST', string, Handler])[] = [
    ['POST', '/v2/models/:model/infer', infer],
    ['POST', '/v2/models/:model/versions/:version/infer', infer],
    ['GET', '/v2/models/:model', describe],
    ['GET', '/v2/models/:model/versions/:version', describe],
    ['GET', '/v2/models/:model/ready', modelReady],
    ['GET', '/v2/models/:model/versions/:version/ready', modelReady],
    ['GET', '/v2', () => Response.json(metadata)],
    ['GET', '/v2/health/live', () => Response.json({ live: true })],
    ['GET', '/v2/health/ready', ready],
  ];

  const app = new Hono();
  const { authorize } = options;
  if (authorize !== undefined)
    app.use(async (c, next) => {
      await authorize(c.req.header('authorization'));
      await next();
    });
  for (const [method, path, handler] of routes) {
    app.on(method, path, handler);
    app.all(path, (c) => {
      const message = `${c.req.method} is not allowed here, only ${method}`;
      return faultResponse(new Fault('method_not_allowed', message), { allow: method });
    });
  }
  app.notFound((c) => faultResponse(new Fault('not_found', `no such path: ${c.req.path}`)));
  app.onError((thrown) => faultResponse(thrown));
  return app;
}

/** What happens under load, and is told to those who ask: it is not worth a line in the log each time. */
const isOrdinary = (thrown: unknown) =>
  thrown instanceof Fault && (thrown.retryAfterS !== undefined || thrown.code === 'deadline_exceeded');

/**
 * @returns milliseconds that the caller waits for the answer; Infinity where it does not say
 * @throws Fault `invalid` naming the header
 */
function deadlineOf(headers: Headers): number {
  const field = REQUEST_HEADERS.deadline;
  const text = headers.get(field);
  if (text === null) return Infinity;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new Fault('invalid', `${field}: must be a whole number of milliseconds`, { field });
}

/** Microseconds are kept where the clock has them. */
const milliseconds = (value: number) => String(Math.round(value * 1000) / 1000);
