/** Who may ask: clients by the deployment's API token; and the router itself, at the cloud, by a short-lived one. */
import { Fault } from '../../core/errors.ts';
import { signToken, TOKEN_LIFETIME_S } from '../../core/security/token.ts';
import type { Environment } from './environment.ts';

/** A cloud token is made anew when half its life is over. */
const REUSE_MS = (TOKEN_LIFETIME_S * 1000) / 2;

/** @throws Fault `unauthorized` */
export function authorizeClient(
  environment: Environment,
  request: Request,
  kind: 'inference' | 'read' | 'write',
): void {
  const { API_TOKEN, REQUIRE_AUTH, ALLOW_ANONYMOUS } = environment;
  if (API_TOKEN === undefined || API_TOKEN === '') {
    if (kind !== 'write' || ALLOW_ANONYMOUS === '1') return;
    throw new Fault('unauthorized', 'authorization: this deployment has no API_TOKEN, so it takes no writes');
  }
  if (kind === 'inference' && REQUIRE_AUTH !== '1') return;
  const given = request.headers.get('authorization') ?? '';
  if (!sameText(given, `Bearer ${API_TOKEN}`)) {
    throw new Fault('unauthorized', 'authorization: the API token is required as a Bearer token');
  }
}

/** In a time that does not tell how much of the secret was right. */
function sameText(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < b.length; i++) difference |= a.charCodeAt(i % Math.max(1, a.length)) ^ b.charCodeAt(i);
  return difference === 0;
}

let cached: { readonly secret: string; readonly token: string; readonly until: number } | undefined;

/** `Bearer …` for the cloud. @throws Fault `unavailable` where the deployment has no secret */
export async function cloudAuthorization(
  { CLOUD_TOKEN_SECRET: secret }: Environment,
  now: number,
): Promise<string> {
  if (secret === undefined || secret === '') {
    throw new Fault('unavailable', 'this deployment cannot reach the cloud: it has no CLOUD_TOKEN_SECRET');
  }
  if (cached?.secret !== secret || cached.until <= now) {
    cached = { secret, token: await signToken(secret, now), until: now + REUSE_MS };
  }
  return `Bearer ${cached.token}`;
}
