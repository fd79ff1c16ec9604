/**
 * Spans of work that a message brings: one trace from the request that started a job to the last message of it
 * (W3C Trace Context level 1, w3.org/TR/trace-context). Random hexadecimal digits are an argument.
 */
import { sha256Hex } from '../storage/blobs.ts';
import { formatTraceparent, parseTraceparent, type RandomHex } from './trace.ts';

export interface Span {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  /** Of whoever asked for the work; undefined: the trace begins here, or nobody knows. */
  readonly parentSpanId: string | undefined;
  readonly sampled: boolean;
}

/** Bytes of a trace id and of a span id. */
const TRACE_BYTES = 16;
const SPAN_BYTES = 8;

/**
 * A span of its own in the caller's trace, or the first one of a trace; a malformed traceparent is as none.
 * @param traceId of the trace that begins where there is none to go on with; default: a random one
 */
export function spanOf(traceparent: string | null | undefined, randomHex: RandomHex, traceId?: string): Span {
  const parent = parseTraceparent(traceparent ?? null);
  return {
    traceId: parent?.traceId ?? traceId ?? randomHex(TRACE_BYTES),
    spanId: randomHex(SPAN_BYTES),
    parentSpanId: parent?.parentId,
    // A trace that begins here is sampled.
    sampled: parent?.sampled ?? true,
  };
}

/** What is sent with what the span asks of others. */
export const traceparentOf = ({ traceId, spanId, sampled }: Span): string =>
  formatTraceparent(traceId, spanId, sampled);

/**
 * The trace of a job that nobody gave one, or whose message lost it: a function of the job's id, so that whoever works
 * on it comes to the same without asking.
 * @returns 32 hexadecimal digits
 */
export async function traceIdOfJob(job: string): Promise<string> {
  const hash = await sha256Hex(Uint8Array.from(new TextEncoder().encode(`trace of ${job}`)));
  return hash.slice(0, 2 * TRACE_BYTES);
}
