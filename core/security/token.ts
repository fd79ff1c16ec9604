/**
 * The short-lived token with which the edge calls the cloud (JWT, RFC 7519, HS256). The edge holds one shared
 * secret and no cloud credentials; a leaked token is worth a minute.
 */
import { sign, verify } from 'hono/jwt';
import { Fault } from '../errors.ts';

/** Seconds a token is valid. */
export const TOKEN_LIFETIME_S = 60;
const AUDIENCE = 'causeway-cloud';

/** @param nowMs Unix time in milliseconds */
export function signToken(secret: string, nowMs: number): Promise<string> {
  const issued = Math.floor(nowMs / 1000);
  return sign({ aud: AUDIENCE, iat: issued, exp: issued + TOKEN_LIFETIME_S }, secret, 'HS256');
}

/** @param authorization the header as received @throws Fault `unauthorized` */
export async function verifyToken(authorization: string | undefined, secret: string): Promise<void> {
  const token = authorization?.match(/^Bearer (\S+)$/)?.[1];
  if (token === undefined) throw new Fault('unauthorized', 'authorization: a Bearer token is required');
  try {
    await verify(token, secret, { alg: 'HS256', aud: AUDIENCE });
  } catch (cause) {
    throw new Fault('unauthorized', 'authorization: the token is not valid', { cause });
  }
}
