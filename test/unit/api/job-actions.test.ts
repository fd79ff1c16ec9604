import { expect, it } from 'vitest';
import type { ApiContext } from '../../../cloud/api/context.ts';
import { JOB_ACTIONS } from '../../../cloud/api/job-actions.ts';
import { JobView } from '../../../core/contracts/job.ts';
import { UNTOUCHED } from '../../../core/jobs/control.ts';

const batch = JobView.parse({
  job: 'job_00000001',
  kind: 'batch',
  model: 'm',
  dataset: { name: 'd', version: 1 },
  status: 'running',
  acceptedAt: '2026-01-02T03:04:05.000Z',
  parts: 4,
  partsDone: 1,
  rows: 8,
  rowsDone: 2,
  rowsPerSecond: 1,
  seconds: 2,
  secondsLeft: null,
  result: null,
});

it.each([
  ['pause', 'paused'],
  ['redrive', 'redriven'],
] as const)('%s is refused for what is no training', async (action, word) => {
  const asked = JOB_ACTIONS[action]({} as ApiContext, batch, UNTOUCHED, {});
  await expect(asked).rejects.toMatchObject({
    code: 'conflict',
    message: `job job_00000001 is of kind batch: only training jobs can be ${word}`,
  });
});
