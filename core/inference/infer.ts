/** One infer request: its place among the others, its answer; over HTTP or called directly by the router. */
import { PROBE_HEADERS, REQUEST_HEADERS, TARGET_HEADERS, TOLD_HEADER } from '../contracts/headers.ts';
import { VARIANT_NAMES, type VariantName } from '../registry/variant-names.ts';
import { errorBody, Fault } from '../errors.ts';
import type { Defer } from './background.ts';
import { readJsonBytes } from './body.ts';
import type { InferCall, Reply } from './call.ts';
import { QUEUE_FULL_RETRY_S } from './config.ts';
import { createLatencies } from '../telemetry/latencies.ts';
import type { InferenceResult, InferenceService, ServiceOptions } from './service.ts';

/** Neither of them throws: faults are answers. */
export interface Infer {
  /** @param version as in the path; undefined: the stable channel's */
  readonly overHttp: (
    request: Request,
    model: string,
    version: string | undefined,
    defer: Defer,
  ) => Promise<Response>;
  readonly directly: (call: InferCall, defer: Defer) => Promise<Reply>;
  /** Of a direct call whose answer nobody wants any more; nothing where it is over, or was never here. */
  readonly cancel: (ticket: string) => void;
  /** The load, as headers: what a probe is told. */
  readonly load: () => Record<string, string>;
}

/** What a fault answers. @param headers of the answer; more may be added */
export type FaultReply = (thrown: unknown, headers?: Record<string, string>) => Reply;

const JSON_TYPE = 'application/json';

/** @param report told of failures that are not the client's and not the load's */
export function createFaultReply(report: (thrown: unknown) => void): FaultReply {
  return (thrown, headers = {}) => {
    const { status, body } = errorBody(thrown);
    const retryAfterS = thrown instanceof Fault ? thrown.retryAfterS : undefined;
    // Under load these come by the thousand, and are told to those who ask.
    const ordinary = retryAfterS !== undefined || body.code === 'deadline_exceeded';
    if (status >= 500 && !ordinary) report(thrown);
    headers['content-type'] = JSON_TYPE;
    if (retryAfterS !== undefined) headers['retry-after'] = String(retryAfterS);
    return { status, headers, body: JSON.stringify(body) };
  };
}

export const toResponse = ({ status, headers, body }: Reply): Response =>
  new Response(body, { status, headers });

/** What is asked, when it is there. */
interface Demand {
  readonly body: Uint8Array;
  readonly deadlineAt: number;
  readonly signal?: { readonly aborted: boolean };
  readonly variant?: VariantName | undefined;
  readonly cascade?: string | undefined;
}

export function createInfer(
  service: InferenceService,
  { config, clock }: Pick<ServiceOptions, 'config' | 'clock'>,
  faultReply: FaultReply,
): Infer {
  let inFlight = 0;
  const latencies = createLatencies();
  /** Direct calls under way. */
  const calls = new Map<string, { aborted: boolean }>();

  /** @throws Fault `unavailable` where as many wait as may */
  const refuseWhereFull = () => {
    if (inFlight < config.queueLimit) return;
    const message = `${inFlight} requests are waiting here, as many as may`;
    throw new Fault('unavailable', message, { retryAfterS: QUEUE_FULL_RETRY_S });
  };

  async function answer(
    model: string,
    version: string | undefined,
    defer: Defer,
    receive: (startedAt: number) => Demand | Promise<Demand>,
  ): Promise<Reply> {
    const startedAt = clock();
    const arrival = service.begin(model, version, startedAt);
    let counted = false;
    let found = 0;
    let outcome: InferenceResult | undefined;
    let thrown: unknown;
    try {
      refuseWhereFull();
      const received = receive(startedAt);
      const demand = received instanceof Promise ? await received : received;
      refuseWhereFull();
      // Counted from here: a client that goes away while it sends would never be counted out again.
      found = inFlight;
      inFlight += 1;
      counted = true;
      outcome = await service.infer({ model, version, ...demand }, arrival, defer);
    } catch (caught) {
      thrown = caught;
    }
    arrival.over();
    const endedAt = clock();
    const headers: Record<string, string> = {
      'content-type': JSON_TYPE,
      [TARGET_HEADERS.inFlight]: String(counted ? inFlight : inFlight + 1),
      [TARGET_HEADERS.serviceMs]: milliseconds(endedAt - startedAt),
    };
    if (counted) inFlight -= 1;
    if (outcome === undefined) return faultReply(thrown, headers);
    // How quickly it fails, or loads a model once, says nothing of its load.
    if (!outcome.cold) latencies.add(found, endedAt - startedAt, endedAt);
    headers[TARGET_HEADERS.release] = String(outcome.release);
    headers[TARGET_HEADERS.variant] = outcome.variant;
    headers[TARGET_HEADERS.cold] = outcome.cold ? '1' : '0';
    headers[TARGET_HEADERS.batch] = String(outcome.rows);
    if (outcome.told !== undefined) headers[TOLD_HEADER] = outcome.told;
    const { judged } = outcome;
    if (judged !== undefined) {
      headers[TARGET_HEADERS.hard] = judged.hardRows;
      if (judged.large !== undefined) headers[TARGET_HEADERS.large] = judged.large;
    }
    return { status: 200, headers, body: outcome.body };
  }

  return {
    async overHttp(request, model, version, defer) {
      const reply = await answer(model, version, defer, async (startedAt) => {
        const { headers } = request;
        const deadlineAt = startedAt + deadlineOf(headers);
        const variant = variantOf(headers);
        const cascade = headers.get(REQUEST_HEADERS.cascade) ?? undefined;
        return { deadlineAt, variant, cascade, body: await readJsonBytes(request, config.maxBodyBytes) };
      });
      return toResponse(reply);
    },
    async directly({ model, version, variant, body, deadlineMs, cascade, ticket }, defer) {
      const signal = { aborted: false };
      calls.set(ticket, signal);
      try {
        return await answer(model, version, defer, (startedAt) => ({
          body,
          deadlineAt: startedAt + deadlineMs,
          variant,
          cascade,
          signal,
        }));
      } finally {
        calls.delete(ticket);
      }
    },
    cancel(ticket) {
      const signal = calls.get(ticket);
      if (signal !== undefined) signal.aborted = true;
    },
    load: () => ({
      [TARGET_HEADERS.inFlight]: String(inFlight),
      [PROBE_HEADERS.latencyMs]: milliseconds(latencies.at(inFlight, clock())),
    }),
  };
}

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

/** @throws Fault `invalid` naming the header */
function variantOf(headers: Headers): VariantName | undefined {
  const field = REQUEST_HEADERS.variant;
  const text = headers.get(field);
  if (text === null) return undefined;
  const found = VARIANT_NAMES.find((name) => name === text);
  if (found !== undefined) return found;
  throw new Fault('invalid', `${field}: must be one of ${VARIANT_NAMES.join(', ')}`, { field });
}

/** Microseconds are kept where the clock has them. */
const milliseconds = (value: number) => String(Math.round(value * 1000) / 1000);
