/**
 * The Open Inference Protocol v2 over HTTP, one app for the edge and the cloud so that both answer alike.
 * github.com/kserve/open-inference-protocol, "HTTP/REST".
 */
import { type Context, Hono } from 'hono';
import { TOLD_HEADER } from '../contracts/headers.ts';
import { releaseKey } from '../contracts/keys.ts';
import { Fault } from '../errors.ts';
import type { Defer } from './background.ts';
import { createFaultReply, createInfer, type Infer, toResponse } from './infer.ts';
import { modelMetadata, serverMetadata } from './protocol/response.ts';
import { createInferenceService, type ServiceOptions } from './service.ts';

export interface InferenceAppOptions extends ServiceOptions {
  /** What keeps a request's work alive after its answer; nothing by default. */
  readonly defer?: (context: Context) => Defer;
  /** Refuses a request by its Authorization header, with a Fault; nobody is refused by default. */
  readonly authorize?: (authorization: string | undefined) => Promise<void>;
}

const noDefer: Defer = () => undefined;

type Handler = (context: Context) => Promise<Response> | Response;

export interface InferenceApp {
  readonly app: Hono;
  /** What `app` does with an infer request, without finding out that it is one, and without authorizing. */
  readonly infer: Infer;
}

export function createInferenceApp(options: InferenceAppOptions): InferenceApp {
  const { runtime, store, authorize } = options;
  const deferOf = options.defer ?? (() => noDefer);
  const service = createInferenceService(options);
  const metadata = serverMetadata(runtime.name);
  const faultReply = createFaultReply(options.report);
  const faultResponse = (...fault: Parameters<typeof faultReply>) => toResponse(faultReply(...fault));
  const serving = createInfer(service, options, faultReply);

  const modelOf = (c: Context) => [c.req.param('model')!, c.req.param('version'), deferOf(c)] as const;

  const infer: Handler = (c) => serving.overHttp(c.req.raw, ...modelOf(c));

  const describe: Handler = async (c) => {
    const [model, version, defer] = modelOf(c);
    const { release, versions, told } = await service.describe(model, version, defer);
    const headers: Record<string, string> = told === undefined ? {} : { [TOLD_HEADER]: told };
    return Response.json(modelMetadata(model, versions, release.signature), { headers });
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
    // Also what a router asks a target it has not heard of lately: it must stay cheap.
    ['GET', '/v2/health/live', () => Response.json({ live: true }, { headers: serving.load() })],
    ['GET', '/v2/health/ready', ready],
  ];

  const app = new Hono();
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

  return { app, infer: serving };
}
