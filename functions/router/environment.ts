import type { Fetcher } from '@cloudflare/workers-types';

/** Bindings, variables and secrets of the router Worker; docs/deploy.md says how each is set. */
export interface Environment {
  /** The private inference Worker. */
  readonly INFERENCE: Pick<Fetcher, 'fetch'>;
  /** Function URL of cloud inference; left out: edge only. */
  readonly CLOUD_URL?: string;
  /** Function URL of the jobs and models API; left out: those paths answer 503. */
  readonly JOBS_URL?: string;
  /** Shared with the cloud functions: signs the short-lived token. */
  readonly CLOUD_TOKEN_SECRET?: string;
  /** Bearer token that clients need for /v1, and for inference too with REQUIRE_AUTH=1. */
  readonly API_TOKEN?: string;
  readonly REQUIRE_AUTH?: string;
  /** `1`: without an API_TOKEN, writes are open to whoever reaches the router. For 127.0.0.1 only. */
  readonly ALLOW_ANONYMOUS?: string;
  /** Bytes of the largest inference request, default 4 MiB. */
  readonly MAX_BODY_BYTES?: string;
}
