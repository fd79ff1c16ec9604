/** Who merges a round that is complete: the real handlers in virtual time. */
import { expect, test } from 'vitest';
import { roundLookKey } from '../../../core/contracts/keys.ts';
import { Fault } from '../../../core/errors.ts';
import type { TaskQueue } from '../../../core/queue/task-queue.ts';
import { putJson } from '../../../core/storage/json.ts';
import { clockwork, type ClockworkOptions, MERGED_BY_MESSAGE } from './clockwork.ts';
import { JOB } from './world.ts';

const NO_WATCH: ClockworkOptions = { times: (task) => (task.kind === 'watch' ? 0 : 1) };

async function ended(options: ClockworkOptions) {
  const job = await clockwork(options);
  await job.run();
  expect(await job.result()).toMatchObject({ status: 'succeeded', release: 1 });
  return {
    ...job,
    merges: job.handled.filter(({ task }) => task.kind === 'merge'),
    state: (await job.commit(1))?.state,
  };
}

test('the shard that completes it, unless it has no time left for that', async () => {
  const [at, by] = [await ended({}), await ended(MERGED_BY_MESSAGE)];
  expect(at.merges).toEqual([]);
  expect(by.merges).toHaveLength(2);
  expect(at.state).toBe(by.state);
});

test('another, where that one was not the first to say so; and somebody where that one did not', async () => {
  const job = await clockwork(NO_WATCH);
  await putJson(job.store, roundLookKey(JOB, 0, 0), { v: 1, number: 0 }, 'create');
  await job.run();
  expect(await job.result()).toMatchObject({ status: 'succeeded' });
  const merges = job.handled.filter(({ task }) => task.kind === 'merge');
  expect(merges.map(({ task }) => task)).toEqual([expect.objectContaining({ round: 0 })]);
  // Five seconds after a task that took a tenth of one.
  const completed = job.handled.find(({ task }) => task.kind === 'shard' && task.shard === 1)!;
  expect(merges[0]!.at).toBeCloseTo(completed.at + 5.1, 6);
});

test('a message, where the shard that completes it cannot', async () => {
  let failed = false;
  const job = await clockwork(NO_WATCH);
  job.observe((operation, key) => {
    if (failed || operation !== 'put' || !key.endsWith('/rounds/0/commit.json')) return;
    failed = true;
    throw new Fault('unavailable', 'the bucket is away');
  });
  await job.run();
  expect(await job.result()).toMatchObject({ status: 'succeeded' });
  expect(job.handled.filter(({ task }) => task.kind === 'merge')).toHaveLength(1);
});

test('who committed and died before it announced what follows does so when its shard comes again', async () => {
  const wrapped: { queue?: TaskQueue } = {};
  let failed = 0;
  const queue: TaskQueue = {
    send: (tasks, options) => {
      const goesOn = tasks.some((task) => task.kind === 'release' || ('round' in task && task.round === 1));
      if (!goesOn || failed === 2) return wrapped.queue!.send(tasks, options);
      failed += 1;
      return Promise.reject(new Fault('unavailable', 'the queue is away'));
    },
  };
  const job = await clockwork({ ...NO_WATCH, context: { queue } });
  wrapped.queue = job.queue;
  await job.run();
  expect(failed).toBe(2);
  expect(await job.result()).toMatchObject({ status: 'succeeded' });
  expect(job.handled.filter(({ task }) => task.kind === 'merge')).toEqual([]);
  expect(job.handled.filter(({ receives }) => receives === 3)).toHaveLength(1);
});
