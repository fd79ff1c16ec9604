/** The jobs and models API lives in the cloud; the router passes requests and answers through, streams included. */
import { RESPONSE_HEADERS } from '../../core/contracts/headers.ts';
import { Fault } from '../../core/errors.ts';
import { cloudAuthorization } from './auth.ts';
import type { Environment } from './environment.ts';

const REQUEST_PASSED = ['content-type', 'accept', 'idempotency-key', 'last-event-id', 'traceparent'];
const RESPONSE_PASSED = ['content-type', 'cache-control', 'location', RESPONSE_HEADERS.requestId];

export async function proxyJobs(environment: Environment, request: Request): Promise<Response> {
  if (environment.JOBS_URL === undefined || environment.JOBS_URL === '') {
    throw new Fault('unavailable', 'this deployment has no jobs API');
  }
  const { pathname, search } = new URL(request.url);
  const headers = new Headers({ authorization: await cloudAuthorization(environment, Date.now()) });
  copy(request.headers, headers, REQUEST_PASSED);
  let response: Response;
  try {
    response = await fetch(`${environment.JOBS_URL}${pathname}${search}`, {
      method: request.method,
      headers,
      body: request.method === 'GET' ? null : await request.arrayBuffer(),
      signal: request.signal,
    });
  } catch (cause) {
    throw new Fault('unavailable', 'the jobs API did not answer', { cause });
  }
  const passed = new Headers();
  copy(response.headers, passed, RESPONSE_PASSED);
  return new Response(response.body, { status: response.status, headers: passed });
}

function copy(from: Headers, to: Headers, names: readonly string[]): void {
  for (const name of names) {
    const value = from.get(name);
    if (value !== null) to.set(name, value);
  }
}
