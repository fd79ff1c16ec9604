/** One infer request over HTTP: its headers, its body, its place in the queue, its answer. */
import { REQUEST_HEADERS, TARGET_HEADERS } from '../contracts/headers.ts';
import { errorBody, Fault } from '../errors.ts';
import type { Defer } from './background.ts';
import { readJsonBytes } from './body.ts';
import { QUEUE_FULL_RETRY_S } from './config.ts';
import type { InferenceResult, InferenceService, ServiceOptions } from './service.ts';

/** Never throws: faults are answers. @param version as in the path; undefined: the stable channel's */
export type Infer = (
  request: Request,
  model: string,
  version: string | undefined,
  defer: Defer,
) => Promise<Response>;

/** What a fault answers. @param headers of the answer; more may be added */
export type FaultResponse = (thrown: unknown, headers?: Record<string, string>) => Response;

const JSON_TYPE = 'application/json';

/** @param report told of failures that are not the client's and not the load's */
export function createFaultResponse(report: (thrown: unknown) => void): FaultResponse {
  return (thrown, headers = {}) => {
    const { status, body } = errorBody(thrown);
    const retryAfterS = thrown instanceof Fault ? thrown.retryAfterS : undefined;
    // Under load these come by the thousand, and are told to those who ask.
    const ordinary = retryAfterS !== undefined || body.code === 'deadline_exceeded';
    if (status >= 500 && !ordinary) report(thrown);
    if (retryAfterS !== undefined) headers['retry-after'] = String(retryAfterS);
    return Response.json(body, { status, headers });
  };
}

export function createInfer(
  service: InferenceService,
  { config, clock }: Pick<ServiceOptions, 'config' | 'clock'>,
  faultResponse: FaultResponse,
): Infer {
  let inFlight = 0;

  /** @throws Fault `unavailable` where as many wait as may */
  const refuseWhereFull = () => {
    if (inFlight < config.queueLimit) return;
    const message = `${inFlight} requests are waiting here, as many as may`;
    throw new Fault('unavailable', message, { retryAfterS: QUEUE_FULL_RETRY_S });
  };

  return async (request, model, version, defer) => {
    const startedAt = clock();
    const arrival = service.begin(model, version, startedAt);
    let counted = false;
    let outcome: InferenceResult | undefined;
    let thrown: unknown;
    try {
      refuseWhereFull();
      const deadlineAt = startedAt + deadlineOf(request.headers);
      const body = await readJsonBytes(request, config.maxBodyBytes);
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

/** Microseconds are kept where the clock has them. */
const milliseconds = (value: number) => String(Math.round(value * 1000) / 1000);

/** As clients and the router write it: no query, nothing that needs decoding. Every other form goes by the table of paths. */
const PATH = /^https?:\/\/[^/]+\/v2\/models\/([\w.-]+)(?:\/versions\/([\w.-]+))?\/infer$/;

/** What an address asks to infer, read without the table of paths; undefined for all that is not plainly that. */
export function readInferUrl(url: string): { readonly model: string; readonly version?: string } | undefined {
  const match = PATH.exec(url);
  if (match === null) return undefined;
  const [, model = '', version] = match;
  return version === undefined ? { model } : { model, version };
}
