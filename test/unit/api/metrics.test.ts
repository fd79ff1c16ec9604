/** `GET /v1/metrics`, and the lines that requests leave. */
import { describe, expect, test } from 'vitest';
import { createApi } from '../../../cloud/api/app.ts';
import type { ApiContext } from '../../../cloud/api/context.ts';
import type { LogLine } from '../../../core/contracts/log.ts';
import { Fault } from '../../../core/errors.ts';
import { CONTENT_TYPE } from '../../../core/telemetry/metrics.ts';
import { memoryStore } from '../memory-store.ts';
import { rememberingQueue } from '../fleet/world.ts';

const depth = (visible: number) => () => Promise.resolve({ visible, inFlight: 1, delayed: 2 });

function apiWith(given: Partial<ApiContext> = {}) {
  const lines: LogLine[] = [];
  const api = createApi({
    store: memoryStore(),
    queue: rememberingQueue(),
    deadLetters: { exhume: () => Promise.resolve(0) },
    depths: { tasks: depth(7), deadLetters: depth(3) },
    now: () => new Date('2026-01-02T03:04:05Z'),
    newJobId: () => 'job_00000001',
    authorize: (authorization) =>
      authorization === 'Bearer good'
        ? Promise.resolve()
        : Promise.reject(new Fault('unauthorized', 'authorization: no')),
    wait: () => Promise.resolve(),
    telemetry: { log: (line) => lines.push(line), randomHex: (count) => '7'.repeat(2 * count) },
    ...given,
  });
  const get = (path: string, authorization = 'Bearer good') =>
    api.request(path, { headers: { authorization } });
  return { get, lines };
}

describe('the metrics', () => {
  test('are what the queues tell at each scrape, and what somebody counted', async () => {
    const answer = await apiWith({ countedTasks: () => Promise.resolve('counted 1\n') }).get('/v1/metrics');
    expect(answer.headers.get('content-type')).toBe(CONTENT_TYPE);
    const text = await answer.text();
    expect(text).toContain('causeway_queue_messages{queue="tasks",state="visible"} 7\n');
    expect(text).toContain('causeway_queue_messages{queue="dead-letters",state="visible"} 3\n');
    expect(text).toMatch(/\ncounted 1\n$/);
  });

  test('are not guessed where a queue does not answer', async () => {
    const depths = {
      tasks: () => Promise.reject(new Fault('unavailable', 'away')),
      deadLetters: depth(0),
    };
    expect((await apiWith({ depths }).get('/v1/metrics')).status).toBe(503);
  });

  test('are for who may ask', async () => {
    expect((await apiWith().get('/v1/metrics', 'Bearer bad')).status).toBe(401);
  });
});

test('each request leaves a line, whatever becomes of it', async () => {
  const { get, lines } = apiWith({
    depths: { tasks: () => Promise.reject(new Error('broken')), deadLetters: depth(0) },
  });
  await get('/v1/models');
  await get('/v1/jobs/job_12345678');
  await get('/nowhere', 'Bearer bad');
  await get('/v1/metrics');
  expect(lines).toMatchObject([
    { message: 'request', level: 'INFO', path: '/v1/models', status: 200, traceId: '7'.repeat(32) },
    { level: 'INFO', status: 404, jobId: 'job_12345678', error: { code: 'not_found' } },
    { level: 'INFO', path: '/nowhere', status: 401, error: { code: 'unauthorized' } },
    { level: 'ERROR', path: '/v1/metrics', status: 500, error: { name: 'Error', message: 'broken' } },
  ]);
  // Whoever asks is not written down.
  expect(JSON.stringify(lines)).not.toContain('good');
  expect(JSON.stringify(lines)).not.toContain('Bearer');
});
