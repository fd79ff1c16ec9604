/** One Open Inference Protocol request: decide, send, fall back within the deadline, explain. */
import {
  CASCADE_OFF,
  REQUEST_HEADERS,
  RESPONSE_HEADERS,
  TARGET_HEADERS,
  TOLD_HEADER,
} from '../../core/contracts/headers.ts';
import { errorBody, Fault } from '../../core/errors.ts';
import { readJsonBytes } from '../../core/inference/body.ts';
import { alsoExcluding } from '../../core/routing/announced.ts';
import type { RouteRequest } from '../../core/routing/policy.ts';
import { EDGE, type TargetId } from '../../core/routing/targets.ts';
import { demandOf, type Said } from '../../core/routing/told.ts';
import { serverTiming } from '../../core/telemetry/server-timing.ts';
import { type Trace, traceHeaders } from '../../core/telemetry/trace.ts';
import { type Answer, drop, type Message, type Outcome, reportedVariant, type Upstream } from './attempt.ts';
import { secondAnswer } from './cascade.ts';
import type { RouterConfig } from './environment.ts';
import type { Explainer } from './explainer.ts';
import { fly, type Landed } from './flight.ts';
import type { Isolate } from './isolate.ts';
import { cascadeFor, DEFAULT_DEADLINE_MS, saidIn } from './request.ts';
import { NO_RULES, type RuleBook } from './rules.ts';

export interface InferenceContext {
  readonly config: RouterConfig;
  readonly isolate: Isolate;
  readonly upstreams: ReadonlyMap<TargetId, Upstream>;
  /** Of places and targets. */
  readonly names: ReadonlySet<TargetId>;
  readonly rules: RuleBook;
  /** Milliseconds. */
  readonly clock: () => number;
}

/** What is asked, from the path. */
export interface Asked {
  /** '' for what is of no model. */
  readonly model: string;
  readonly version: string | undefined;
  readonly infers: boolean;
}

/** As estimates and records have it. */
const nameOf = ({ model, version }: Asked) => (version === undefined ? model : `${model}/${version}`);

/** What of a target's answer reaches the client: of every one, and of those that are no success. */
const PASSED_ON = ['content-type', ...Object.values(TARGET_HEADERS)];
const PASSED_ON_REFUSED = [...PASSED_ON, 'allow', 'retry-after'];

/** @throws Fault for what the router refuses itself; the targets' failures are answers */
export async function routeInference(
  context: InferenceContext,
  request: Request,
  asked: Asked,
  trace: Trace,
  defer: (work: Promise<unknown>) => void,
  explainer?: Explainer,
): Promise<Response> {
  const { config, isolate, upstreams, names, rules, clock } = context;
  const { infers } = asked;
  const model = nameOf(asked);
  const arrived = clock();
  const said = saidIn(request.headers, names);
  const given = await messageOf(request, asked, config.maxBodyBytes, trace);
  const bytes = given.body?.byteLength ?? 0;
  // What computes nothing has nothing with it that must not leave.
  const held = infers ? rules.rulesFor(model, said, () => asking(said, given, request)) : NO_RULES;
  const { defaults, variants } = held instanceof Promise ? await held : held;
  const demand = demandOf(said, defaults, { names, deadlineMs: DEFAULT_DEADLINE_MS });
  const { pin, exclude, costCeiling, deadlineMs } = demand;
  explainer?.asked(deadlineMs);
  const cascade = infers ? cascadeFor(request.headers, demand, upstreams.keys()) : undefined;
  const message = cascade === undefined ? given : inCascade(given, cascade);
  const isCascade = cascade === undefined ? isolate.isCascade(model) : cascade !== CASCADE_OFF;
  const ask = (tried: readonly TargetId[]): RouteRequest => ({
    model,
    bytes,
    variants,
    pin,
    // A release may have come since, and a second attempt must not go where it does not let the first.
    exclude: infers ? alsoExcluding(exclude, rules.excludedNow(model)) : exclude,
    costCeiling,
    isCascade,
    deadlineMs: deadlineMs - (clock() - arrived),
    tried,
  });
  const landed = await fly({
    isolate,
    upstreams,
    message,
    infers,
    explainer,
    ask,
    client: request.signal,
    defer,
  });
  // Reading the request took all the time there was.
  if (landed === undefined) throw pastDeadline(deadlineMs, 'deadline');

  const first = infers ? firstAnswer(landed) : undefined;
  const hard = first?.header(TARGET_HEADERS.hard) ?? null;
  // The cloud's variant may be the larger one, which nobody judges.
  if (first !== undefined && cascade === undefined && (hard !== null || landed.sent.host === EDGE))
    isolate.setCascade(model, hard !== null);
  // The larger model's release speaks of its own requests.
  if (first !== undefined)
    rules.heard(model, landed.sent.host === EDGE ? 'edge' : 'cloud', first.header(TOLD_HEADER), {
      release: first.header(TARGET_HEADERS.release),
      sentAt: landed.sent.attempt.startedAt,
    });
  const joined =
    hard === null
      ? undefined
      : await secondAnswer(context, {
          answer: first!,
          hard,
          host: landed.sent.host,
          message,
          ask: () => ask([]),
          client: request.signal,
          explainer,
          defer,
        });
  const { predictedMs } = landed;
  const outcome: Outcome =
    joined === undefined ? landed.outcome : { kind: 'answered', answer: joined.answer };
  const timings = joined === undefined ? landed.timings : [...landed.timings, ...joined.timings];
  if (outcome.kind === 'failed' && !isOwnWords(outcome.answer)) await drop(outcome);
  const { target, variant, reason } = (joined?.sent ?? landed.sent).attempt;
  const total = clock() - arrived;
  const waitedMs = Math.min(
    total,
    timings.reduce((sum, { ms }) => sum + ms, 0),
  );
  const headers: Record<string, string> = {
    ...traceHeaders(trace),
    [RESPONSE_HEADERS.target]: target,
    [RESPONSE_HEADERS.reason]: reason,
    [RESPONSE_HEADERS.serverTiming]: serverTiming([{ name: 'route', ms: total - waitedMs }, ...timings]),
  };
  // Who names a variant gets what was asked.
  const isSpare = variant?.isDegraded === true && pin !== target;
  const degraded = joined?.degraded ?? (isSpare ? 'variant' : undefined);
  if (degraded !== undefined) {
    headers[RESPONSE_HEADERS.degraded] = degraded;
    isolate.degraded(target, degraded === 'variant' ? 'variant' : 'cascade');
  }
  explainer?.answered({ target, reason });
  const response = respond(outcome, target, deadlineMs, headers);
  isolate.answered(target, reason, response.status);
  if (infers)
    isolate.routed({
      model,
      target,
      reason,
      predictedMs,
      actualMs: waitedMs,
      status: response.status,
      variant: 'answer' in outcome ? reportedVariant(outcome.answer) : null,
    });
  return response;
}

/** To ask a target what the release says, at the model's own path. */
function asking({ deadlineMs = DEFAULT_DEADLINE_MS }: Said, { path, headers }: Message, { signal }: Request) {
  return { path: path.replace(/\/infer(\?.*)?$/, ''), headers, deadlineMs, client: signal };
}

/** With what is said of a cascade, over HTTP or not. */
function inCascade(message: Message, cascade: string): Message {
  const { headers, call } = message;
  return {
    ...message,
    headers: { ...headers, [REQUEST_HEADERS.cascade]: cascade },
    call: call && { ...call, cascade },
  };
}

/** One that may be judged. */
function firstAnswer({ outcome }: Landed): Answer | undefined {
  return outcome.kind === 'answered' && outcome.answer.status === 200 ? outcome.answer : undefined;
}

async function messageOf(
  request: Request,
  { model, version, infers }: Asked,
  maxBodyBytes: number,
  trace: Trace,
): Promise<Message> {
  const { url } = request;
  const headers = traceHeaders(trace);
  if (trace.tracestate !== undefined) headers['tracestate'] = trace.tracestate;
  const path = url.slice(url.indexOf('/', url.indexOf('//') + 2));
  if (!infers) return { method: 'GET', path, body: undefined, headers, call: undefined };
  headers['content-type'] = 'application/json';
  const body = await readJsonBytes(request, maxBodyBytes);
  return {
    method: 'POST',
    path,
    body,
    headers,
    // The span is this request's alone.
    call: { model, version, body, ticket: trace.traceparent },
  };
}

/** @param reason where no target was asked: otherwise why that one was */
const pastDeadline = (deadlineMs: number, reason?: 'deadline') =>
  new Fault('deadline_exceeded', `no answer within the deadline of ${deadlineMs} ms`, {
    field: REQUEST_HEADERS.deadline,
    ...(reason === undefined ? {} : { reason }),
  });

/** What passes between the router and a target (a token, a limit) is no answer to the client; its own failure is. */
const isOwnWords = ({ status }: Answer) => status >= 500;

/** @param headers what the router adds; the target's are added to them */
function respond(
  outcome: Outcome,
  target: TargetId,
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
      const { status, header, body } = outcome.answer;
      if (outcome.kind === 'failed' && !isOwnWords(outcome.answer))
        return fault(new Fault('bad_gateway', `the ${target} target did not take the router's request`));
      for (const name of status === 200 ? PASSED_ON : PASSED_ON_REFUSED) {
        const value = header(name);
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
