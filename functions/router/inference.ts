/** Routing one Open Inference Protocol request: decide, try, fall back within the deadline, explain. */
import { REQUEST_HEADERS, RESPONSE_HEADERS, TARGET_HEADERS } from '../../core/contracts/headers.ts';
import { Fault } from '../../core/errors.ts';
import { predictive } from '../../core/routing/policies/predictive.ts';
import type { Decision } from '../../core/routing/policy.ts';
import type { Environment } from './environment.ts';
import type { Isolate } from './isolate.ts';
import { bodyOf, deadlineOf, pinOf, requestIdOf, traceparentOf } from './request.ts';
import { attempt, type AttemptOutcome } from './targets.ts';

/** What of a target's answer reaches the client. */
const PASSED_ON = ['content-type', 'retry-after', ...Object.values(TARGET_HEADERS)];

/** @param model for the metrics; empty for server paths */
export async function routeInference(
  environment: Environment,
  isolate: Isolate,
  request: Request,
  path: string,
  model: string,
): Promise<Response> {
  const arrived = performance.now();
  const { headers } = request;
  const deadlineMs = deadlineOf(headers.get(REQUEST_HEADERS.deadline));
  const pin = pinOf(headers.get(REQUEST_HEADERS.target));
  const hasCloud = environment.CLOUD_URL !== undefined && environment.CLOUD_URL !== '';
  if (pin === 'cloud' && !hasCloud) {
    const field = REQUEST_HEADERS.target;
    throw new Fault('unprocessable', `${field}: this deployment has no cloud target`, { field });
  }
  const body = request.method === 'POST' ? await bodyOf(request, environment.MAX_BODY_BYTES) : undefined;
  const requestId = requestIdOf(headers.get(REQUEST_HEADERS.requestId));
  const traceparent = traceparentOf(headers.get(REQUEST_HEADERS.traceparent));
  const sent: Record<string, string> = { traceparent, [REQUEST_HEADERS.requestId]: requestId };
  const contentType = headers.get('content-type');
  if (contentType !== null) sent['content-type'] = contentType;
  const tried = { method: request.method, path, body, headers: sent };
  const left = () => deadlineMs - (performance.now() - arrived);

  let decision = predictive({ pin, deadlineMs }, isolate.snapshot(hasCloud), Date.now(), Math.random());
  let outcome = await attempt(environment, isolate, decision.target, tried, left());
  if (outcome.kind !== 'answer' && decision.fallback !== undefined && left() > 0) {
    const first = decision;
    decision = {
      ...first,
      target: decision.fallback,
      reason: 'fallback',
      predictedMs: null,
      fallback: undefined,
    };
    const second = await attempt(environment, isolate, decision.target, tried, left());
    outcome = second;
  }
  const ms = performance.now() - arrived;
  const response = answer(decision, outcome, deadlineMs, ms);
  response.headers.set(RESPONSE_HEADERS.requestId, requestId);
  response.headers.set(RESPONSE_HEADERS.traceparent, traceparent);
  isolate.decided(decision, { model, ms, status: response.status, now: Date.now() });
  return response;
}

function answer(decision: Decision, outcome: AttemptOutcome, deadlineMs: number, ms: number): Response {
  const { target, reason, predictedMs } = decision;
  const predicted = predictedMs === null ? '' : `;desc="predicted ${predictedMs.toFixed(2)} ms"`;
  const headers = new Headers({
    [RESPONSE_HEADERS.target]: target,
    [RESPONSE_HEADERS.reason]: reason,
    [RESPONSE_HEADERS.serverTiming]: `route;dur=${Math.max(0, ms - outcome.ms).toFixed(1)}, ${target};dur=${outcome.ms.toFixed(1)}${predicted}`,
  });
  if (outcome.kind === 'answer' || outcome.kind === 'error') {
    for (const name of PASSED_ON) {
      const value = outcome.response.headers.get(name);
      if (value !== null) headers.set(name, value);
    }
    return new Response(outcome.body, { status: outcome.response.status, headers });
  }
  const fault =
    outcome.kind === 'timeout'
      ? new Fault('deadline_exceeded', `no answer within the deadline of ${deadlineMs} ms`)
      : new Fault('unavailable', `the ${target} did not answer`);
  headers.set('content-type', 'application/json');
  return new Response(JSON.stringify({ error: fault.message, code: fault.code }), {
    status: fault.status,
    headers,
  });
}
