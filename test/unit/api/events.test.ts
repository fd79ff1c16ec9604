import { Hono } from 'hono';
import { expect, it } from 'vitest';
import { jobEvents, MAX_STREAM_MS } from '../../../cloud/api/events.ts';
import type { JobView } from '../../../core/contracts/job.ts';

const RUNNING = { status: 'running', round: 0, shardsDone: 0, result: null } as unknown as JobView;

it('a stream ends before its function would, also where looking at the job takes long', async () => {
  let clock = 0;
  let looks = 0;
  const app = new Hono().get('/', (c) =>
    jobEvents(
      c,
      () => {
        looks += 1;
        clock += 2_000;
        return Promise.resolve(RUNNING);
      },
      {
        now: () => new Date(clock),
        wait: (ms) => {
          clock += ms;
          return Promise.resolve();
        },
      },
    ),
  );
  const text = await (await app.request('/')).text();
  expect(text).toMatch(/^event: progress\n/);
  expect(looks).toBeLessThanOrEqual(Math.ceil(MAX_STREAM_MS / 2_000));
  expect(clock).toBeLessThan(MAX_STREAM_MS + 2_500);
});
