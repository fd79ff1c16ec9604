/** Each request in its caller's trace, and a line in the log for it when its answer begins. */
import type { MiddlewareHandler } from 'hono';
import { JobId } from '../../core/contracts/primitives.ts';
import { loggedError, spanFields } from '../../core/telemetry/log.ts';
import { spanOf, traceparentOf } from '../../core/telemetry/span.ts';
import type { ApiContext } from './context.ts';

/** What handlers find in Hono's context, and leave there. */
export interface ApiEnvironment {
  /** Hono's adapter for Lambda gives it. */
  Bindings: { readonly lambdaContext?: { readonly awsRequestId: string } };
  Variables: {
    /** The request's own span: what it starts goes on in its trace. Absent where nobody watches. */
    traceparent?: string;
    /** The job that it started. */
    startedJob?: string;
    /** Why its answer lacks something that belongs there. */
    omitted?: unknown;
  };
}

/** Characters of a path: longer than any that there is. */
const MAX_PATH = 256;

export const requestLog =
  ({ telemetry, now }: Pick<ApiContext, 'telemetry' | 'now'>): MiddlewareHandler<ApiEnvironment> =>
  async (c, next) => {
    if (telemetry === undefined) return next();
    const startedAt = now();
    const span = spanOf(c.req.header('traceparent'), telemetry.randomHex);
    c.set('traceparent', traceparentOf(span));
    await next();
    const endedAt = now();
    const { method, path } = c.req;
    const { status } = c.res;
    // Without Lambda there is no environment, whatever its type says.
    const requestId = (c.env ?? {}).lambdaContext?.awsRequestId;
    const jobId = c.get('startedJob') ?? jobIn(path);
    const thrown = c.error ?? c.get('omitted');
    telemetry.log({
      timestamp: endedAt.toISOString(),
      level: status >= 500 ? 'ERROR' : c.get('omitted') === undefined ? 'INFO' : 'WARN',
      message: 'request',
      service: 'jobs-api',
      ...(requestId === undefined ? {} : { requestId }),
      ...spanFields(span),
      ...(jobId === undefined ? {} : { jobId }),
      method,
      path: path.slice(0, MAX_PATH),
      status,
      durationMs: Math.max(0, endedAt.getTime() - startedAt.getTime()),
      ...(thrown === undefined ? {} : { error: loggedError(thrown) }),
    });
  };

const jobIn = (path: string): string | undefined => JobId.safeParse(path.split('/')[3]).data;
