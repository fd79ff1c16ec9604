import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Explanation } from '../../../core/contracts/explanation.ts';
import { createClient } from '../../../infra/cli/client.ts';

const EXPLANATION: Explanation = {
  model: 'm',
  policy: 'predictive',
  bytes: 2,
  deadlineMs: 10_000,
  pin: null,
  decisions: [],
  attempts: [],
  target: 'edge',
  reason: 'only-target',
  status: 200,
  actualMs: 1,
};
const answering = (status: number, body: string) => {
  const fetch = vi.fn<typeof globalThis.fetch>(async () => new Response(body, { status }));
  vi.stubGlobal('fetch', fetch);
  return fetch;
};
const explain = () => createClient('http://router.test', 'let-me-in').explain('/v2/models/m/infer', '{}');
afterEach(() => vi.unstubAllGlobals());

describe('asking for an explanation', () => {
  it('asks the path with the token, and takes the explanation out of the answer', async () => {
    const fetch = answering(200, JSON.stringify({ outputs: [], explanation: EXPLANATION }));
    expect(await explain()).toMatchObject({ explanation: EXPLANATION, fault: undefined });
    const [url, init] = fetch.mock.calls[0]!;
    expect(url).toEqual(new URL('http://router.test/v2/models/m/infer?explain=1'));
    expect(init).toMatchObject({
      method: 'POST',
      body: '{}',
      headers: { authorization: 'Bearer let-me-in' },
    });
  });

  it('takes it out of an error too, beside the error', async () => {
    answering(504, JSON.stringify({ error: 'too late', explanation: { ...EXPLANATION, status: 504 } }));
    expect(await explain()).toMatchObject({
      explanation: { status: 504 },
      fault: { code: 'deadline_exceeded', message: 'too late' },
    });
  });

  it.each([
    [401, '{"error":"the API token is required"}', 'unauthorized', 'the API token is required'],
    [502, '<html>', 'bad_gateway', '502'],
    [200, '{"outputs":[]}', 'unprocessable', 'without an explanation'],
    [200, 'null', 'unprocessable', 'without an explanation'],
    [200, '{"explanation":{"model":1}}', 'unprocessable', 'explanation.model: the router'],
  ])('says what is wrong with %d %s', async (status, body, code, message) => {
    answering(status, body);
    await expect(explain()).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });
});
