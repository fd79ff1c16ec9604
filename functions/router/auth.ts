/** Who may ask: clients by the deployment's API token; and the router itself, at the cloud, by a short-lived one. */
import { Fault } from '../../core/errors.ts';
import { signToken, TOKEN_LIFETIME_S } from '../../core/security/token.ts';
import type { RouterConfig } from './environment.ts';

/** What is asked for. `inference` is /v2 and the metrics, the others are /v1. */
export type Access = 'inference' | 'read' | 'write';

/** Names of this machine. A page whose name was rebound to 127.0.0.1 still sends its own. */
const LOOPBACK = /^https?:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?\//i;

/**
 * Where anonymous writes are taken, whoever reaches the router is this machine's user: nothing is told to anybody else
 * either, health and metrics included, and only the dashboard's files, which are the same everywhere, are served.
 * @throws Fault `unauthorized`, or `forbidden` under a name that is not this machine's
 */
export function authorize(config: RouterConfig, request: Request, access: Access): void {
  const { apiToken, requireAuth, allowAnonymous } = config;
  if (apiToken === undefined) {
    if (allowAnonymous) return refuseElsewhere(request.url);
    if (access !== 'write') return;
    const message = 'authorization: this deployment has no API_TOKEN, so it takes no writes';
    throw new Fault('unauthorized', message, { field: 'authorization' });
  }
  if (access === 'inference' && !requireAuth) return;
  if (isSame(request.headers.get('authorization') ?? '', `Bearer ${apiToken}`)) return;
  throw new Fault('unauthorized', 'authorization: the API token is required as a Bearer token', {
    field: 'authorization',
  });
}

function refuseElsewhere(url: string): void {
  if (LOOPBACK.test(url)) return;
  const message =
    'host: with ALLOW_ANONYMOUS=1 requests are taken at 127.0.0.1, localhost and [::1] only; elsewhere set an API_TOKEN';
  throw new Fault('forbidden', message, { field: 'host' });
}

/** In a time that depends on what was given only, not on how much of it was right. */
function isSame(given: string, expected: string): boolean {
  let difference = given.length ^ expected.length;
  for (let i = 0; i < given.length; i++)
    difference |= given.charCodeAt(i) ^ expected.charCodeAt(i % expected.length);
  return difference === 0;
}

/** A token is made anew when half its life is over. */
const REUSE_MS = (TOKEN_LIFETIME_S * 1000) / 2;

/** @returns what gives `Bearer …` for the cloud. Only the finished token is kept: a promise could die with its request. */
export function cloudAuthorizer(secret: string, wallClock: () => number): () => Promise<string> | string {
  let authorization = '';
  let until = -Infinity;
  return () => {
    const now = wallClock();
    if (now < until) return authorization;
    return signToken(secret, now).then((token) => {
      authorization = `Bearer ${token}`;
      until = now + REUSE_MS;
      return authorization;
    });
  };
}
