import { decode } from 'hono/jwt';
import { verifyToken } from '../../core/security/token.ts';

/**
 * Checks the edge's token. The router sends one token for many requests, so the last one verified is remembered
 * until it expires and costs a string comparison.
 * @param clock Unix time in milliseconds
 */
export function tokenAuthorizer(
  secret: () => Promise<string>,
  clock: () => number,
): (authorization: string | undefined) => Promise<void> {
  let verified: { readonly authorization: string; readonly expiresAt: number } | undefined;
  return async (authorization) => {
    if (verified !== undefined && authorization === verified.authorization && clock() < verified.expiresAt)
      return;
    await verifyToken(authorization, await secret());
    if (authorization !== undefined) verified = { authorization, expiresAt: expiryOf(authorization) };
  };
}

/** Unix milliseconds; a token that never expires is verified each time. */
function expiryOf(authorization: string): number {
  const { exp } = decode(authorization.slice('Bearer '.length)).payload;
  return exp === undefined ? 0 : exp * 1000;
}
