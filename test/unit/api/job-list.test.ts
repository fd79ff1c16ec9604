/** `GET /v1/jobs` where not all of the newest jobs can be shown. */
import { expect, test } from 'vitest';
import { JobList } from '../../../core/contracts/job.ts';
import type { LogLine } from '../../../core/contracts/log.ts';
import { acceptJob } from '../../../core/jobs/accept.ts';
import { apiBeside } from '../fleet/api.ts';
import { prepare, rememberingQueue, START } from '../fleet/world.ts';
import { memoryStore } from '../memory-store.ts';

const JOBS = ['job_00000001', 'job_00000002', 'job_00000003'];

/** Three jobs, the last one the newest. */
async function threeJobs() {
  const store = memoryStore();
  const queue = rememberingQueue();
  const spec = await prepare(store);
  for (const [n, job] of JOBS.entries())
    await acceptJob(store, queue, spec, { job, now: new Date(START + 1000 * n) });
  const lines: LogLine[] = [];
  const telemetry = { log: (line: LogLine) => lines.push(line), randomHex: (n: number) => '7'.repeat(2 * n) };
  const api = apiBeside({ store, queue, now: () => START }, { telemetry });
  const list = async () => {
    const answer = await api.request('/v1/jobs');
    expect(answer.status).toBe(200);
    return JobList.parse(await answer.json());
  };
  return { store, lines, list };
}

test('are all there, the newest first', async () => {
  const { list, lines } = await threeJobs();
  const { jobs, unreadable } = await list();
  expect(jobs.map(({ job }) => job)).toEqual(JOBS.toReversed());
  expect(unreadable).toBeUndefined();
  expect(lines).toMatchObject([{ level: 'INFO' }]);
});

test('without those whose specs have expired', async () => {
  const { store, list, lines } = await threeJobs();
  await store.delete(`jobs/${JOBS[1]}/spec.json`);
  const { jobs, unreadable } = await list();
  expect(jobs.map(({ job }) => job)).toEqual([JOBS[2], JOBS[0]]);
  expect(unreadable).toBeUndefined();
  expect(lines).toMatchObject([{ level: 'INFO' }]);
});

test('beside those that cannot be read, and the log says why', async () => {
  const { store, list, lines } = await threeJobs();
  store.tamper(`jobs/${JOBS[1]}/spec.json`, new Uint8Array([0x7b]));
  store.before = (_, key) => {
    if (key === `jobs/${JOBS[2]}/spec.json`) throw new Error('secret');
  };
  const { jobs, unreadable } = await list();
  expect(jobs.map(({ job }) => job)).toEqual([JOBS[0]]);
  expect(unreadable?.toSorted((a, b) => a.job.localeCompare(b.job))).toMatchObject([
    { job: JOBS[1], code: 'internal' },
    { job: JOBS[2], code: 'internal', error: 'internal error' },
  ]);
  expect(lines).toMatchObject([{ level: 'WARN', status: 200, error: { message: 'secret' } }]);
});
