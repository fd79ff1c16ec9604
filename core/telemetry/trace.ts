/** Who asked and in which trace: request ids, and W3C Trace Context level 1 (w3.org/TR/trace-context). */

export interface Trace {
  readonly requestId: string;
  /** With a span of ours as the parent of what we ask of others. */
  readonly traceparent: string;
  /** The vendors' part; passed on only with the trace that it belongs to. */
  readonly tracestate: string | undefined;
}

/** @param count of random bytes @returns them as lower-case hexadecimal digits */
export type RandomHex = (count: number) => string;

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const ZEROS = /^0+$/;
/** What may be repeated in a header and a log line without harm. */
const REQUEST_ID = /^[\w.:/+=@-]{1,128}$/;

/** Continues the caller's trace, or starts one; a malformed traceparent is as none. */
export function traceOf(headers: Headers, randomHex: RandomHex): Trace {
  const random = randomHex(40);
  const given = headers.get('x-request-id');
  const parent = parseTraceparent(headers.get('traceparent'));
  const traceId = parent?.traceId ?? random.slice(0, 32);
  const spanId = random.slice(32, 48);
  return {
    requestId: given !== null && REQUEST_ID.test(given) ? given : random.slice(48),
    // A trace that begins here is sampled.
    traceparent: formatTraceparent(traceId, spanId, parent?.sampled ?? true),
    tracestate: parent === undefined ? undefined : (headers.get('tracestate') ?? undefined),
  };
}

/** As both requests to others and answers carry them. */
export const traceHeaders = ({ requestId, traceparent }: Trace): Record<string, string> => ({
  'x-request-id': requestId,
  traceparent,
});

export interface Traceparent {
  readonly traceId: string;
  readonly parentId: string;
  readonly sampled: boolean;
}

/** Our version has one flag; the others must be sent as zero. */
export const formatTraceparent = (traceId: string, spanId: string, sampled: boolean): string =>
  `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;

/** @returns undefined where there is none, or what there is cannot be one */
export function parseTraceparent(header: string | null): Traceparent | undefined {
  const [, version = 'ff', traceId = '', parentId = '', flags = '', rest] = header?.match(TRACEPARENT) ?? [];
  if (version === 'ff' || ZEROS.test(traceId) || ZEROS.test(parentId)) return;
  // Later versions may say more; ours may not.
  if (version === '00' && rest !== undefined) return;
  return { traceId, parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
