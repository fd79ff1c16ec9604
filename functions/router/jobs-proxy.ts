/** The jobs and models API lives in the cloud: requests and answers pass through, event streams unbuffered. */
import { Fault } from '../../core/errors.ts';
import { readJsonBytes } from '../../core/inference/body.ts';
import { type Trace, traceHeaders } from '../../core/telemetry/trace.ts';
import type { Upstream } from './attempt.ts';

const REQUEST_PASSED = ['accept', 'idempotency-key', 'last-event-id'];
const RESPONSE_PASSED = ['content-type', 'cache-control', 'location', 'allow', 'retry-after'];
/** Milliseconds until the answer begins: the API function's own timeout. A stream may then go on. */
const ANSWER_MS = 60_000;

/**
 * Bodies must be declared as JSON: a page elsewhere can make a browser send a form here, but not JSON, without the
 * router's leave, which it does not give (no CORS headers). The same holds for DELETE, which has no body.
 * @throws Fault `unavailable`, `bad_gateway` or `deadline_exceeded` where the API does not answer
 */
export async function proxyJobs(
  api: Upstream | undefined,
  request: Request,
  maxBodyBytes: number,
  trace: Trace,
): Promise<Response> {
  if (api === undefined) throw new Fault('unavailable', 'this deployment has no jobs API (JOBS_URL)');
  const { pathname, search } = new URL(request.url);
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const headers = traceHeaders(trace);
  for (const name of REQUEST_PASSED) {
    const value = request.headers.get(name);
    if (value !== null) headers[name] = value;
  }
  let body: Uint8Array<ArrayBuffer> | undefined;
  if (method !== 'GET' && method !== 'DELETE') {
    body = (await readJsonBytes(request, maxBodyBytes)) as Uint8Array<ArrayBuffer>;
    headers['content-type'] = 'application/json';
  }
  if (api.authorization !== undefined) headers['authorization'] = await api.authorization();

  const response = await begin(api, request.signal, `${pathname}${search}`, {
    method,
    headers,
    redirect: 'manual',
    ...(body === undefined ? {} : { body }),
  });
  const passed = traceHeaders(trace);
  for (const name of RESPONSE_PASSED) {
    const value = response.headers.get(name);
    if (value !== null) passed[name] = value;
  }
  return new Response(response.body, { status: response.status, headers: passed });
}

/** The client's going away ends the stream too, whenever it comes; the time limit is for its beginning only. */
async function begin(
  api: Upstream,
  client: AbortSignal | undefined,
  path: string,
  init: RequestInit,
): Promise<Response> {
  // The event of a signal that is aborted already never comes.
  if (client?.aborted === true) throw new Fault('unavailable', 'the client went away');
  const abort = new AbortController();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    abort.abort();
  }, ANSWER_MS);
  client?.addEventListener('abort', () => abort.abort());
  try {
    return await api.fetcher.fetch(api.origin + path, { ...init, signal: abort.signal });
  } catch (cause) {
    if (late)
      throw new Fault('deadline_exceeded', `the jobs API did not answer within ${ANSWER_MS} ms`, { cause });
    throw new Fault('bad_gateway', 'the jobs API could not be reached', { cause });
  } finally {
    clearTimeout(timer);
  }
}
