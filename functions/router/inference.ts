/** One Open Inference Protocol request: decide, send, fall back within the deadline, explain. */
import { REQUEST_HEADERS, RESPONSE_HEADERS, TARGET_HEADERS } from '../../core/contracts/headers.ts';
import { errorBody, Fault } from '../../core/errors.ts';
import { readJsonBytes } from '../../core/inference/body.ts';
import type { AttemptResult } from '../../core/routing/state.ts';
import type { TargetName } from '../../core/routing/targets.ts';
import { serverTiming, type Timing } from '../../core/telemetry/server-timing.ts';
import { type Trace, traceHeaders } from '../../core/telemetry/trace.ts';
import {
  drop,
  type Message,
  type Outcome,
  reportedInFlight,
  reportedVariant,
  send,
  type Upstream,
} from './attempt.ts';
import type { RouterConfig } from './environment.ts';
import type { Isolate, Sent } from './isolate.ts';
import { deadlineOf, pinOf } from './request.ts';

export interface InferenceContext {
  readonly config: RouterConfig;
  readonly isolate: Isolate;
  readonly upstreams: Readonly<Record<TargetName, Upstream>>;
  /** Milliseconds. */
  readonly clock: () => number;
}

/** What is asked, from the path. */
export interface Asked {
  /** With the version, where the path names one; '' for what is of no model. */
  readonly model: string;
  readonly infers: boolean;
}

/** What of a target's answer reaches the client: of every one, and of those that are no success. */
const PASSED_ON = ['content-type', ...Object.values(TARGET_HEADERS)];
const PASSED_ON_REFUSED = [...PASSED_ON, 'allow', 'retry-after'];

/** @throws Fault for what the router refuses itself; the targets' failures are answers */
export async function routeInference(
  context: InferenceContext,
  request: Request,
  { model, infers }: Asked,
  trace: Trace,
): Promise<Response> {
  const { config, isolate, upstreams, clock } = context;
  const arrived = clock();
  const deadlineMs = deadlineOf(request.headers);
  const pin = pinOf(request.headers, config.cloudUrl !== undefined);
  const message = await messageOf(request, infers, config.maxBodyBytes, trace);
  const bytes = message.body?.byteLength ?? 0;
  const left = () => deadlineMs - (clock() - arrived);

  const timings: Timing[] = [];
  let failed: TargetName | undefined;
  let last: { readonly sent: Sent; readonly outcome: Outcome } | undefined;
  for (;;) {
    const remaining = left();
    if (remaining <= 0) break;
    const sent = isolate.begin({ model, bytes, pin, deadlineMs: remaining, failed }, infers);
    if (sent === undefined) break;
    const { target } = sent.attempt;
    const outcome = await send(upstreams[target], message, sent.limitMs, request.signal);
    const ms = isolate.finish(sent, resultOf(outcome));
    timings.push({ name: target, ms, description: describe(sent, outcome) });
    const previous = last?.outcome;
    last = { sent, outcome };
    if (previous !== undefined) await drop(previous);
    if (outcome.kind === 'answered' || outcome.kind === 'cancelled' || failed !== undefined) break;
    failed = target;
  }
  // Reading the request took all the time there was.
  if (last === undefined) throw pastDeadline(deadlineMs);

  if (last.outcome.kind === 'failed' && !isOwnWords(last.outcome.response)) await drop(last.outcome);

  const { attempt, predictedMs } = last.sent;
  const { target, reason } = attempt;
  const total = clock() - arrived;
  const asked = timings.reduce((sum, { ms }) => sum + ms, 0);
  const response = respond(last.outcome, target, deadlineMs, {
    ...traceHeaders(trace),
    [RESPONSE_HEADERS.target]: target,
    [RESPONSE_HEADERS.reason]: reason,
    [RESPONSE_HEADERS.serverTiming]: serverTiming([{ name: 'route', ms: total - asked }, ...timings]),
  });
  isolate.answered(target, reason, response.status);
  if (infers)
    isolate.routed({
      model,
      target,
      reason,
      predictedMs,
      actualMs: asked,
      status: response.status,
      variant: reportedVariant(response.headers),
    });
  return response;
}

async function messageOf(
  request: Request,
  infers: boolean,
  maxBodyBytes: number,
  trace: Trace,
): Promise<Message> {
  const { url } = request;
  const headers = traceHeaders(trace);
  if (trace.tracestate !== undefined) headers['tracestate'] = trace.tracestate;
  const path = url.slice(url.indexOf('/', url.indexOf('//') + 2));
  if (!infers) return { method: 'GET', path, body: undefined, headers };
  headers['content-type'] = 'application/json';
  return { method: 'POST', path, body: await readJsonBytes(request, maxBodyBytes), headers };
}

function resultOf(outcome: Outcome): AttemptResult {
  switch (outcome.kind) {
    case 'answered': {
      const { status, headers } = outcome.response;
      const cold = headers.get(TARGET_HEADERS.cold) === '1';
      return { kind: 'answered', refused: status >= 400, cold, reported: reportedInFlight(headers) };
    }
    case 'unreachable':
      return { kind: 'failed' };
    case 'failed':
    case 'timeout':
    case 'cancelled':
      return { kind: outcome.kind };
  }
}

function describe({ predictedMs }: Sent, outcome: Outcome): string {
  const predicted = predictedMs === null ? 'predicted nothing' : `predicted ${predictedMs.toFixed(2)} ms`;
  return outcome.kind === 'answered' ? predicted : `${outcome.kind}, ${predicted}`;
}

const pastDeadline = (deadlineMs: number) =>
  new Fault('deadline_exceeded', `no answer within the deadline of ${deadlineMs} ms`, {
    field: REQUEST_HEADERS.deadline,
  });

/** What passes between the router and a target (a token, a limit) is no answer to the client; its own failure is. */
const isOwnWords = ({ status }: Response) => status >= 500;

/** @param headers what the router adds; the target's are added to them */
function respond(
  outcome: Outcome,
  target: TargetName,
  deadlineMs: number,
  headers: Record<string, string>,
): Response {
  const fault = (thrown: Fault) => {
    const { status, body } = errorBody(thrown);
    return Response.json(body, { status, headers });
  };
  switch (outcome.kind) {
    case 'answered':
    case 'failed': {
      const { status, headers: given, body } = outcome.response;
      if (outcome.kind === 'failed' && !isOwnWords(outcome.response))
        return fault(new Fault('bad_gateway', `the ${target} target did not take the router's request`));
      for (const name of status === 200 ? PASSED_ON : PASSED_ON_REFUSED) {
        const value = given.get(name);
        if (value !== null) headers[name] = value;
      }
      return new Response(body, { status, headers });
    }
    case 'unreachable':
      return fault(new Fault('bad_gateway', `the ${target} target could not be reached`));
    case 'timeout':
      return fault(pastDeadline(deadlineMs));
    case 'cancelled':
      return fault(new Fault('unavailable', 'the client went away'));
  }
}
