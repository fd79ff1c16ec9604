/** Sending a request to a target, and telling an answer from a failure. */
import { PROBE_HEADERS, REQUEST_HEADERS, TARGET_HEADERS } from '../../core/contracts/headers.ts';
import { CALL_BYTES, type InferCall, type Reply } from '../../core/inference/call.ts';
import { VARIANT_NAMES, type VariantName } from '../../core/registry/variant-names.ts';
import type { Fetcher, InferenceBinding } from './environment.ts';

/** Where a target is and how it is asked. */
export interface Upstream {
  readonly fetcher: Fetcher;
  /** Without a slash at the end. */
  readonly origin: string;
  /** Value of the Authorization header; undefined: the target needs none. */
  readonly authorization: (() => Promise<string> | string) | undefined;
  /** The same target, called without HTTP; undefined: it can only be fetched from. */
  readonly binding: InferenceBinding | undefined;
}

export interface Message {
  readonly method: 'GET' | 'HEAD' | 'POST';
  /** With its query. */
  readonly path: string;
  readonly body: Uint8Array | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** The same, where it is a plain infer request; undefined: it can only be sent over HTTP. */
  readonly call: Omit<InferCall, 'deadlineMs'> | undefined;
}

/** What a target answered, over HTTP or not. */
export interface Answer {
  readonly status: number;
  readonly header: (name: string) => string | null;
  readonly body: ReadableStream | string | null;
}

export type Outcome =
  | { readonly kind: 'answered'; readonly answer: Answer }
  /** Its own failure, worth trying elsewhere; the answer says what it was, and must be passed on or dropped. */
  | { readonly kind: 'failed'; readonly answer: Answer }
  | { readonly kind: 'unreachable' }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'cancelled' };

/**
 * 4xx that are not about the client's request but between the router and the target: a token it does not take, and
 * a function that is throttled. The protocol's own are 400, 404, 405, 413, 415 and 422.
 */
const TARGET_FAILURES: ReadonlySet<number> = new Set([401, 403, 408, 429]);

const isFailure = (status: number) => status >= 500 || TARGET_FAILURES.has(status);

const outcomeOf = (answer: Answer): Outcome => ({
  kind: isFailure(answer.status) ? 'failed' : 'answered',
  answer,
});

const ofResponse = ({ status, headers, body }: Response): Answer => ({
  status,
  header: (name) => headers.get(name),
  body,
});

const ofReply = ({ status, headers, body }: Reply): Answer => ({
  status,
  header: (name) => headers[name] ?? null,
  body,
});

export interface Sending {
  readonly outcome: Promise<Outcome>;
  /** Ends it as `cancelled`: another attempt was quicker. Of one over HTTP that is answered, the rest of the answer. */
  readonly cancel: () => void;
}

/**
 * Ends with the head of the answer: both targets send it when the work is done, and to read the body here only to
 * write it again was seen to cost as much as the rest of the router.
 * @param limitMs until the answer must begin
 * @param client aborted when the client goes away; nothing is sent for one that has gone
 * @param variant asked of a target that has several
 */
export function send(
  upstream: Upstream,
  message: Message,
  limitMs: number,
  client: AbortSignal | undefined,
  variant?: VariantName,
): Sending {
  // The event of a signal that is aborted already never comes.
  if (client?.aborted === true) return { outcome: Promise.resolve({ kind: 'cancelled' }), cancel: () => {} };
  const { promise: outcome, resolve } = Promise.withResolvers<Outcome>();
  const { binding } = upstream;
  const { call } = message;
  const { answer, abort } =
    binding !== undefined && call !== undefined && call.body.length < CALL_BYTES
      ? callBinding(binding, {
          ...call,
          deadlineMs: limitMs,
          variant,
          // Two variants of one request may be under way at once.
          ticket: variant === undefined ? call.ticket : `${call.ticket} ${variant}`,
        })
      : fetchFrom(upstream, message, limitMs, variant);
  const end = (kind: 'timeout' | 'cancelled') => () => {
    settle({ kind });
    abort();
  };
  const cancel = end('cancelled');
  const timer = setTimeout(end('timeout'), limitMs);
  client?.addEventListener('abort', cancel);

  let settled = false;
  /** The first to come counts. */
  function settle(ending: Outcome): void {
    if (settled) return void drop(ending);
    settled = true;
    clearTimeout(timer);
    client?.removeEventListener('abort', cancel);
    resolve(ending);
  }
  answer.then(
    (given) => settle(outcomeOf(given)),
    () => settle({ kind: 'unreachable' }),
  );
  return { outcome, cancel };
}

interface Asking {
  readonly answer: Promise<Answer>;
  readonly abort: () => void;
}

function callBinding(binding: InferenceBinding, call: InferCall): Asking {
  return {
    answer: binding.infer(call).then((given) => ('json' in given ? ofResponse(given) : ofReply(given))),
    // A call cannot be aborted: it is told that nobody waits, and may leave undone what it has not begun.
    abort: () => void binding.cancel(call.ticket).catch(() => undefined),
  };
}

function fetchFrom(
  upstream: Upstream,
  { method, path, body, headers }: Message,
  limitMs: number,
  variant: VariantName | undefined,
): Asking {
  const controller = new AbortController();
  async function ask(): Promise<Answer> {
    const sent: Record<string, string> = { ...headers };
    // What still waits in the target when the time is over is not computed.
    if (body !== undefined) sent[REQUEST_HEADERS.deadline] = String(Math.ceil(limitMs));
    if (variant !== undefined) sent[REQUEST_HEADERS.variant] = variant;
    if (upstream.authorization !== undefined) sent['authorization'] = await upstream.authorization();
    const response = await upstream.fetcher.fetch(upstream.origin + path, {
      method,
      headers: sent,
      signal: controller.signal,
      redirect: 'manual',
      // Its bytes are a view of a buffer that nobody writes.
      ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
    });
    return ofResponse(response);
  }
  return { answer: ask(), abort: () => controller.abort() };
}

/** A full queue: the target is well, it only has no room. It says when to come again. */
export const isOverloaded = ({ status, header }: Answer): boolean =>
  status === 503 && header('retry-after') !== null;

/** Lets go of an answer that nobody will read, and of its connection. */
export async function drop(outcome: Outcome): Promise<void> {
  if (!('answer' in outcome)) return;
  const { body } = outcome.answer;
  if (body !== null && typeof body !== 'string') await body.cancel().catch(() => undefined);
}

/** Milliseconds in the target, as it reported; null where it did not. */
export const reportedServiceMs = (answer: Answer) => milliseconds(answer, TARGET_HEADERS.serviceMs);
/** Milliseconds that requests took there lately, as it told a probe; null where it did not. */
export const reportedLatencyMs = (answer: Answer) => milliseconds(answer, PROBE_HEADERS.latencyMs);

function milliseconds({ header }: Answer, name: string): number | null {
  const text = header(name);
  return text !== null && /^\d{1,7}(\.\d{1,9})?$/.test(text) ? Number(text) : null;
}

/** Requests in the target, itself included, as it reported; null where it did not. */
export function reportedInFlight({ header }: Answer): number | null {
  const text = header(TARGET_HEADERS.inFlight);
  return text !== null && /^\d{1,6}$/.test(text) ? Number(text) : null;
}

/** Which file of the release answered; null where the target did not say. */
export function reportedVariant({ header }: Answer): VariantName | null {
  const text = header(TARGET_HEADERS.variant);
  return VARIANT_NAMES.find((name) => name === text) ?? null;
}
