import { expect, test } from 'vitest';
import { jobPlanKey, shardPartKey, shardUpdateKey } from '../../../core/contracts/keys.ts';
import { viewJob } from '../../../core/jobs/view.ts';
import { clockwork } from './clockwork.ts';
import { JOB, START } from './world.ts';

test('the updates of a round are counted, however many checkpoints lie beside them', async () => {
  const job = await clockwork();
  const { store } = job;
  await job.run(async () => (await store.head(jobPlanKey(JOB))) !== undefined);
  const view = () => viewJob(store, JOB, new Date(START));
  expect(await view()).toMatchObject({ round: 0, shards: 2, shardsDone: 0 });
  for (let part = 1; part <= 1_100; part++) await store.put(shardPartKey(JOB, 0, 0, part), new Uint8Array());
  await store.put(shardUpdateKey(JOB, 0, 1), new Uint8Array());
  expect(await view()).toMatchObject({ round: 0, shardsDone: 1 });
});
