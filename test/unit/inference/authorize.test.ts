import { beforeEach, describe, expect, it } from 'vitest';
import { tokenAuthorizer } from '../../../cloud/inference/authorize.ts';
import { signToken, TOKEN_LIFETIME_S } from '../../../core/security/token.ts';

const SECRET = 'shared';
let checks = 0;
let now = 0;
const authorize = tokenAuthorizer(
  async () => {
    checks += 1;
    return SECRET;
  },
  () => now,
);
const bearer = async (secret: string, ageMs = 0) => `Bearer ${await signToken(secret, Date.now() - ageMs)}`;

beforeEach(() => {
  checks = 0;
  now = Date.now();
});

describe('the authorizer', () => {
  it('verifies a token once, and again when it should have expired', async () => {
    const token = await bearer(SECRET);
    for (let i = 0; i < 5; i++) await authorize(token);
    expect(checks).toBe(1);
    now += TOKEN_LIFETIME_S * 1000;
    await authorize(token);
    expect(checks).toBe(2);
  });

  it('verifies every other token, and remembers no refused one', async () => {
    await authorize(await bearer(SECRET));
    const refused = [undefined, '', 'Bearer x', await bearer('other'), await bearer(SECRET, 120_000)];
    for (const token of [...refused, ...refused])
      await expect(authorize(token)).rejects.toMatchObject({ code: 'unauthorized' });
    await authorize(await bearer(SECRET, 2_000));
  });
});
