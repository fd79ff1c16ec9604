/** Sending a request to a target, and telling an answer from a failure. */
import type { TargetName } from '../../core/routing/targets.ts';
import { TARGET_HEADERS } from '../../core/contracts/headers.ts';
import { cloudAuthorization } from './auth.ts';
import type { Environment } from './environment.ts';
import type { Isolate } from './isolate.ts';

export interface Attempt {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly body: ArrayBuffer | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

export type AttemptOutcome =
  | { readonly kind: 'answer'; readonly response: Response; readonly body: ArrayBuffer; readonly ms: number }
  /** 5xx: the target's own error, worth trying elsewhere; its body is the answer if there is no elsewhere. */
  | { readonly kind: 'error'; readonly response: Response; readonly body: ArrayBuffer; readonly ms: number }
  | { readonly kind: 'unreachable'; readonly ms: number }
  | { readonly kind: 'timeout'; readonly ms: number };

export async function attempt(
  environment: Environment,
  isolate: Isolate,
  target: TargetName,
  { method, path, body, headers }: Attempt,
  timeoutMs: number,
): Promise<AttemptOutcome> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), timeoutMs);
  const sent = performance.now();
  isolate.started(target);
  try {
    const init = { method, headers, signal: abort.signal, ...(body === undefined ? {} : { body }) };
    const response =
      target === 'edge'
        ? await environment.INFERENCE.fetch(`http://inference${path}`, init)
        : await fetch(`${environment.CLOUD_URL}${path}`, {
            ...init,
            headers: { ...headers, authorization: await cloudAuthorization(environment, Date.now()) },
          });
    const answer = await response.arrayBuffer();
    const ms = performance.now() - sent;
    if (response.status >= 500) {
      isolate.failed(target, Date.now());
      return { kind: 'error', response, body: answer, ms };
    }
    const cold = response.headers.get(TARGET_HEADERS.cold) === '1';
    isolate.answered(target, ms, Date.now(), cold);
    return { kind: 'answer', response, body: answer, ms };
  } catch {
    isolate.failed(target, Date.now());
    return { kind: abort.signal.aborted ? 'timeout' : 'unreachable', ms: performance.now() - sent };
  } finally {
    clearTimeout(timer);
  }
}
