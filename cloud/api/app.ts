/** The jobs and models API: a thin HTTP face over the object store and the task queue. */
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { errorBody, Fault } from '../../core/errors.ts';
import type { ApiContext } from './context.ts';
import { jobRoutes } from './jobs.ts';
import { metricsRoutes } from './metrics.ts';
import { modelRoutes } from './models.ts';
import { type ApiEnvironment, requestLog } from './request-log.ts';

/** A job spec is a few hundred bytes; this leaves room for one with thousands of input bindings. */
const MAX_BODY_BYTES = 256 * 1024;

export function createApi(context: ApiContext): Hono<ApiEnvironment> {
  const api = new Hono<ApiEnvironment>();
  api.onError((thrown, c) => {
    const { status, body } = errorBody(thrown);
    return c.json(body, status);
  });
  api.notFound(() => {
    throw new Fault('not_found', 'no such path; see /v1/jobs and /v1/models');
  });
  api.use(requestLog(context));
  api.use(async (c, next) => {
    await context.authorize(c.req.header('authorization'));
    await next();
  });
  api.use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: () => {
        throw new Fault('too_large', `body: at most ${MAX_BODY_BYTES} bytes are allowed`);
      },
    }),
  );
  api.route('/v1/jobs', jobRoutes(context));
  api.route('/v1/models', modelRoutes(context));
  api.route('/v1/metrics', metricsRoutes(context));
  return api;
}
