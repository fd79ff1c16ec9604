/** What a warm function holds must not outlive its use: a fault of a moment is not kept. */
import { expect, test } from 'vitest';
import { loadOnce, recent } from '../../../cloud/training/caches.ts';
import { dispatch } from '../../../cloud/training/dispatch.ts';
import { JobPlan } from '../../../core/contracts/job.ts';
import { blobKey, jobPlanKey, shardUpdateKey } from '../../../core/contracts/keys.ts';
import { Fault } from '../../../core/errors.ts';
import { getJson } from '../../../core/storage/json.ts';
import { memoryStore } from '../memory-store.ts';
import { accept, fleetContext, JOB, prepare, rememberingQueue } from './world.ts';

test('those who ask while it is loaded share one load, and a failed one is tried again by the next', async () => {
  const cache = recent<Promise<string>>(2);
  let loads = 0;
  const load = () => {
    loads += 1;
    return loads === 1 ? Promise.reject(new Fault('unavailable', 'slow down')) : Promise.resolve('loaded');
  };
  const both = await Promise.allSettled([loadOnce(cache, 'k', load), loadOnce(cache, 'k', load)]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(loads).toBe(1);
  await expect(loadOnce(cache, 'k', load)).resolves.toBe('loaded');
  await expect(loadOnce(cache, 'k', load)).resolves.toBe('loaded');
  expect(loads).toBe(2);
});

test('a training graph that could not be read once is read by the next delivery to the same function', async () => {
  const store = memoryStore();
  const queue = rememberingQueue();
  await accept(store, queue, await prepare(store));
  const context = fleetContext({ store, queue });
  const deliver = (task: object) =>
    dispatch(context, JSON.stringify(task), { messageId: 'm', redelivered: false, lastChance: false });
  await deliver({ v: 1, kind: 'plan', job: JOB });
  const { trainingGraph } = (await getJson(store, jobPlanKey(JOB), JobPlan))!;
  const shard = { v: 1, kind: 'shard', job: JOB, round: 0, shard: 0 };
  store.before = (operation, key) => {
    if (operation === 'get' && key === blobKey(trainingGraph)) throw new Fault('unavailable', 'slow down');
  };
  await expect(deliver(shard)).rejects.toMatchObject({ code: 'unavailable' });
  store.before = () => undefined;
  await deliver(shard);
  expect(await store.head(shardUpdateKey(JOB, 0, 0))).toBeDefined();
});
