/** What an inference request asks of the router, read from its headers and bounded. */
import { REQUEST_HEADERS } from '../../core/contracts/headers.ts';
import { TARGETS, type TargetName } from '../../core/routing/targets.ts';
import { Fault } from '../../core/errors.ts';

export const DEFAULT_DEADLINE_MS = 10_000;
const MAX_DEADLINE_MS = 600_000;
const DEFAULT_MAX_BODY_BYTES = 4 * 1024 * 1024;

/** @throws Fault `invalid` naming the header */
export function deadlineOf(header: string | null): number {
  if (header === null) return DEFAULT_DEADLINE_MS;
  const ms = Number(header);
  if (Number.isInteger(ms) && ms >= 1 && ms <= MAX_DEADLINE_MS) return ms;
  const field = REQUEST_HEADERS.deadline;
  throw new Fault('invalid', `${field}: must be a whole number from 1 to ${MAX_DEADLINE_MS}`, { field });
}

/** @returns undefined for `auto` @throws Fault `invalid` naming the header */
export function pinOf(header: string | null): TargetName | undefined {
  if (header === null || header === 'auto') return undefined;
  const pinned = TARGETS.find((target) => target === header);
  if (pinned !== undefined) return pinned;
  const field = REQUEST_HEADERS.target;
  throw new Fault('invalid', `${field}: must be edge, cloud or auto`, { field });
}

/** The bytes, kept so that a failed attempt can be repeated elsewhere. @throws Fault `too_large` */
export async function bodyOf(request: Request, limit: string | undefined): Promise<ArrayBuffer> {
  const max = limit === undefined ? DEFAULT_MAX_BODY_BYTES : Number(limit);
  const refuse = (): never => {
    throw new Fault('too_large', `body: at most ${max} bytes are allowed`);
  };
  const declared = request.headers.get('content-length');
  if (declared !== null) {
    if (Number(declared) > max) refuse();
    return request.arrayBuffer();
  }
  // Chunked: its length is known only when it is there, so it is counted as it comes.
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = request.body?.getReader();
  for (;;) {
    const next = await reader?.read();
    if (next === undefined || next.done) break;
    size += next.value.byteLength;
    if (size > max) {
      await reader?.cancel();
      refuse();
    }
    chunks.push(next.value);
  }
  const body = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.byteLength;
  }
  return body.buffer;
}

/** A request id as given, if it is harmless to repeat, else a new one. */
export function requestIdOf(header: string | null): string {
  return header !== null && /^[\w.:-]{1,128}$/.test(header) ? header : crypto.randomUUID();
}

/** W3C Trace Context: the given trace continued with a span of ours, else a new sampled one. */
export function traceparentOf(header: string | null): string {
  const trace = header?.match(/^00-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})$/);
  const span = hex(8);
  if (trace?.[1] !== undefined && !/^0+$/.test(trace[1])) return `00-${trace[1]}-${span}-${trace[2]}`;
  return `00-${hex(16)}-${span}-01`;
}

function hex(bytes: number): string {
  let text = '';
  for (const byte of crypto.getRandomValues(new Uint8Array(bytes)))
    text += byte.toString(16).padStart(2, '0');
  return text;
}
