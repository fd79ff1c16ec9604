/**
 * An infer request between two Workers of one deployment, without HTTP between them: a call of a service binding's
 * method takes half as long as a `fetch` through it (developers.cloudflare.com/workers/runtime-apis/rpc).
 */

import type { VariantName } from '../registry/variant-names.ts';

/** Everything in it can be cloned. */
export interface InferCall {
  readonly model: string;
  /** Undefined: the stable channel's. */
  readonly version: string | undefined;
  /** Wanted of the release; undefined: the usual one. */
  readonly variant?: VariantName | undefined;
  /** JSON. */
  readonly body: Uint8Array;
  /** How long the answer is waited for. */
  readonly deadlineMs: number;
  /** As in the request's header; undefined: nothing is said. */
  readonly cascade?: string | undefined;
  /** The caller's name for this call, to take it back with. */
  readonly ticket: string;
}

/** What HTTP would answer. */
export interface Reply {
  readonly status: number;
  /** By names in lower case. */
  readonly headers: Record<string, string>;
  /** JSON. */
  readonly body: string;
}

/** Platforms bound what a call may carry (32 MiB on Cloudflare): what is larger goes and comes as a stream. */
export const CALL_BYTES = 4 * 1024 * 1024;
