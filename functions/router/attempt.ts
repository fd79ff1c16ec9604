/** Sending a request to a target, and telling an answer from a failure. */
import { REQUEST_HEADERS, TARGET_HEADERS } from '../../core/contracts/headers.ts';
import { VARIANT_NAMES, type VariantName } from '../../core/registry/variant-names.ts';
import type { Fetcher } from './environment.ts';

/** Where a target is and how it is asked. */
export interface Upstream {
  readonly fetcher: Fetcher;
  /** Without a slash at the end. */
  readonly origin: string;
  /** Value of the Authorization header; undefined: the target needs none. */
  readonly authorization: (() => Promise<string> | string) | undefined;
}

export interface Message {
  readonly method: 'GET' | 'POST';
  /** With its query. */
  readonly path: string;
  readonly body: Uint8Array | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

export type Outcome =
  | { readonly kind: 'answered'; readonly response: Response }
  /** Its own failure, worth trying elsewhere; the response says what it was, and must be passed on or dropped. */
  | { readonly kind: 'failed'; readonly response: Response }
  | { readonly kind: 'unreachable' }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'cancelled' };

/**
 * 4xx that are not about the client's request but between the router and the target: a token it does not take, and
 * a function that is throttled. The protocol's own are 400, 404, 405, 413, 415 and 422.
 */
const TARGET_FAILURES: ReadonlySet<number> = new Set([401, 403, 408, 429]);

const isFailure = (status: number) => status >= 500 || TARGET_FAILURES.has(status);

export interface Sending {
  readonly outcome: Promise<Outcome>;
  /** Ends it as `cancelled`: another attempt was quicker. */
  readonly cancel: () => void;
}

/**
 * Ends with the head of the answer: both targets send it when the work is done, and to read the body here only to
 * write it again was seen to cost as much as the rest of the router.
 * @param limitMs until the answer must begin
 * @param client aborted when the client goes away
 */
export function send(
  upstream: Upstream,
  message: Message,
  limitMs: number,
  client: AbortSignal | undefined,
): Sending {
  const abort = new AbortController();
  const ending: { kind: 'timeout' | 'cancelled' | undefined } = { kind: undefined };
  const end = (kind: 'timeout' | 'cancelled') => () => {
    ending.kind ??= kind;
    abort.abort();
  };
  const cancel = end('cancelled');
  const timer = setTimeout(end('timeout'), limitMs);
  client?.addEventListener('abort', cancel);

  async function run(): Promise<Outcome> {
    try {
      const { method, path, body } = message;
      const headers: Record<string, string> = { ...message.headers };
      // What still waits in the target when the time is over is not computed.
      if (body !== undefined) headers[REQUEST_HEADERS.deadline] = String(Math.ceil(limitMs));
      if (upstream.authorization !== undefined) headers['authorization'] = await upstream.authorization();
      const response = await upstream.fetcher.fetch(upstream.origin + path, {
        method,
        headers,
        signal: abort.signal,
        redirect: 'manual',
        // Its bytes are a view of a buffer that nobody writes.
        ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
      });
      return { kind: isFailure(response.status) ? 'failed' : 'answered', response };
    } catch {
      return { kind: ending.kind ?? 'unreachable' };
    } finally {
      clearTimeout(timer);
      client?.removeEventListener('abort', cancel);
    }
  }
  return { outcome: run(), cancel };
}

/** A full queue: the target is well, it only has no room. It says when to come again. */
export const isOverloaded = ({ status, headers }: Response): boolean =>
  status === 503 && headers.has('retry-after');

/** Lets go of an answer that nobody will read, and of its connection. */
export async function drop(outcome: Outcome): Promise<void> {
  if ('response' in outcome) await outcome.response.body?.cancel().catch(() => undefined);
}

/** Milliseconds in the target, as it reported; null where it did not. */
export function reportedServiceMs(headers: Headers): number | null {
  const text = headers.get(TARGET_HEADERS.serviceMs);
  return text !== null && /^\d{1,7}(\.\d{1,9})?$/.test(text) ? Number(text) : null;
}

/** Requests in the target, itself included, as it reported; null where it did not. */
export function reportedInFlight(headers: Headers): number | null {
  const text = headers.get(TARGET_HEADERS.inFlight);
  return text !== null && /^\d{1,6}$/.test(text) ? Number(text) : null;
}

/** Which file of the release answered; null where the target did not say. */
export function reportedVariant(headers: Headers): VariantName | null {
  const text = headers.get(TARGET_HEADERS.variant);
  return VARIANT_NAMES.find((name) => name === text) ?? null;
}
