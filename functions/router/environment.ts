/** What a deployment gives the router: bindings, variables and secrets, checked once per isolate. */
import type { InferCall, Reply } from '../../core/inference/call.ts';
import { DEFAULT_POLICY, POLICY_NAMES, type PolicyName } from '../../core/routing/policies/table.ts';
import {
  type DeployedTarget,
  misconfigured,
  targetsOf,
  type TargetVariables,
  textOf,
  urlOf,
} from './targets.ts';

/** Another Worker, or the internet. */
export interface Fetcher {
  fetch(url: string, init: RequestInit): Promise<Response>;
}

/** The inference Worker's methods: functions/inference/index.ts. */
export interface InferenceBinding {
  infer(call: InferCall): Promise<Reply | Response>;
  cancel(ticket: string): Promise<void>;
}

/** A Durable Object namespace, as far as it is used. */
export interface PointsOfPresence {
  idFromName(name: string): unknown;
  get(id: never): Fetcher;
}

/** docs/deploy.md and docs/routing.md say how each is set. */
export interface Environment extends TargetVariables {
  /** The private inference Worker. */
  readonly INFERENCE: Fetcher & InferenceBinding;
  /** Where the isolates of a point of presence share what they learn (pop.ts); left out: each learns alone. */
  readonly POP?: PointsOfPresence;
  /** Function URL of the jobs and models API; left out: those paths answer 503. */
  readonly JOBS_URL?: string;
  /** Shared with the cloud functions: signs the short-lived token. Needed with any URL. */
  readonly CLOUD_TOKEN_SECRET?: string;
  /** Bearer token that clients need for /v1. */
  readonly API_TOKEN?: string;
  /** `1`: inference and metrics need the token too. */
  readonly REQUIRE_AUTH?: string;
  /** `1`: without an API_TOKEN, writes are open too, and nothing is answered but at 127.0.0.1, localhost and [::1]. */
  readonly ALLOW_ANONYMOUS?: string;
  /** Bytes of the largest request, default 4 MiB: what the targets take. */
  readonly MAX_BODY_BYTES?: string;
  /** A name in core/routing/policies/table.ts. */
  readonly ROUTING_POLICY?: string;
}

export interface RouterConfig {
  readonly targets: readonly DeployedTarget[];
  readonly jobsUrl: string | undefined;
  readonly tokenSecret: string;
  readonly apiToken: string | undefined;
  readonly requireAuth: boolean;
  readonly allowAnonymous: boolean;
  readonly maxBodyBytes: number;
  readonly policy: PolicyName;
}

const MAX_BODY_BYTES = 4 * 1024 * 1024;
/** An isolate has 128 MB, and a body is held while it is sent. */
const LARGEST_BODY_BYTES = 32 * 1024 * 1024;

/** @throws Fault `unavailable` naming the variable: no request can be served, and a later deployment may mend it */
export function readConfig(environment: Environment): RouterConfig {
  const targets = targetsOf(environment);
  const jobs = textOf(environment.JOBS_URL);
  const jobsUrl = jobs === undefined ? undefined : urlOf('JOBS_URL', jobs);
  const tokenSecret = textOf(environment.CLOUD_TOKEN_SECRET);
  if (tokenSecret === undefined && (targets.length > 1 || jobsUrl !== undefined))
    throw misconfigured('CLOUD_TOKEN_SECRET', 'is needed with CLOUD_URL, CLOUD_REGIONS or JOBS_URL');
  const apiToken = textOf(environment.API_TOKEN);
  const requireAuth = flagOf(environment, 'REQUIRE_AUTH');
  if (requireAuth && apiToken === undefined)
    throw misconfigured('API_TOKEN', 'is needed with REQUIRE_AUTH=1');
  return {
    targets,
    jobsUrl,
    tokenSecret: tokenSecret ?? '',
    apiToken,
    requireAuth,
    allowAnonymous: flagOf(environment, 'ALLOW_ANONYMOUS'),
    maxBodyBytes: bytesOf(environment),
    policy: policyOf(environment),
  };
}

function flagOf(environment: Environment, name: 'REQUIRE_AUTH' | 'ALLOW_ANONYMOUS'): boolean {
  const text = environment[name] ?? '';
  if (text !== '' && text !== '0' && text !== '1') throw misconfigured(name, 'must be 1, 0 or not set');
  return text === '1';
}

function bytesOf({ MAX_BODY_BYTES: text }: Environment): number {
  if (text === undefined || text === '') return MAX_BODY_BYTES;
  const bytes = Number(text);
  if (!Number.isInteger(bytes) || bytes < 1 || bytes > LARGEST_BODY_BYTES)
    throw misconfigured('MAX_BODY_BYTES', `must be a whole number from 1 to ${LARGEST_BODY_BYTES}`);
  return bytes;
}

function policyOf({ ROUTING_POLICY: text }: Environment): PolicyName {
  if (text === undefined || text === '') return DEFAULT_POLICY;
  const found = POLICY_NAMES.find((name) => name === text);
  if (found === undefined) throw misconfigured('ROUTING_POLICY', `must be one of ${POLICY_NAMES.join(', ')}`);
  return found;
}
