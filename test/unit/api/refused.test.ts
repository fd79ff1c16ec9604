/** What the API refuses: the status, and the field by its name. */
import { expect, test } from 'vitest';
import { createApi } from '../../../cloud/api/app.ts';
import { memoryStore } from '../memory-store.ts';

const api = createApi({
  store: memoryStore(),
  queue: { send: () => Promise.resolve() },
  deadLetters: { exhume: () => Promise.resolve(0) },
  depths: {} as never,
  now: () => new Date(0),
  newJobId: () => 'job_00000001',
  authorize: () => Promise.resolve(),
  wait: () => Promise.resolve(),
});

async function refused(path: string, body?: string) {
  const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
  const response = await api.request(path, body === undefined ? {} : (post as RequestInit));
  const { error, field } = (await response.json()) as { error: string; field?: string };
  return { status: response.status, field, error };
}

test.each([
  ['/v1/jobs?limit=x', undefined, 400, 'limit', 'limit: must be a whole number of 1 to 50'],
  ['/v1/jobs?limit=0', undefined, 400, 'limit', 'limit: must be a whole number of 1 to 50'],
  ['/v1/jobs?page=2', undefined, 400, 'page', 'page: unknown field'],
  ['/v1/jobs', '{"kind":', 400, 'body', 'body: must be JSON'],
  ['/v1/jobs', '[]', 400, 'body', 'body: must be a JSON object'],
  ['/v1/models/m/releases', '{', 400, 'body', 'body: must be JSON'],
  ['/v1/models/m/releases', 'null', 400, 'body', 'body: must be a JSON object'],
  ['/v1/models/m/releases', '{}', 400, 'body', 'body: must say routing, cascade or both'],
  ['/v1/models/nope/releases', '{"cascade":null}', 404, 'model', 'no model nope'],
  ['/v1/models/No%20Name/releases', '{"cascade":null}', 404, 'model', 'no model No Name'],
] as const)('%s with %s', async (path, body, status, field, error) => {
  expect(await refused(path, body)).toEqual({ status, field, error });
});

test('a limit that can be kept', async () => {
  expect((await api.request('/v1/jobs?limit=3')).status).toBe(200);
});
