/** What is refused of what people do to a job, and by which field: of trainings and of jobs that are split alike. */
import { describe, expect, test } from 'vitest';
import { clockwork, type ClockworkOptions } from '../fleet/clockwork.ts';
import { apiBeside } from '../fleet/api.ts';
import { JOB, prepareBatch } from '../fleet/world.ts';

const BUDGET = { functionSeconds: 0.35 };

const KINDS: readonly (readonly [string, ClockworkOptions])[] = [
  ['train', { spec: { budget: BUDGET, epochs: 20 } }],
  ['batch', { prepare: (store) => prepareBatch(store, { budget: BUDGET }) }],
];

async function stopped(options: ClockworkOptions) {
  const job = await clockwork(options);
  await job.run();
  const api = apiBeside(job);
  const ask = async (path: string, body: object = {}) => {
    const response = await api.request(`/v1/jobs/${JOB}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const { error, field, status } = (await response.json()) as Record<string, unknown>;
    return { code: response.status, error, field, status };
  };
  return { ...job, ask };
}

describe.each(KINDS)('a %s job', (_, options) => {
  test('that spent its budget is redriven with more only', async () => {
    const job = await stopped(options);
    for (const body of [
      {},
      { budget: BUDGET },
      { budget: { functionSeconds: 0.2 } },
      { deadlineSeconds: 60 },
    ])
      expect(await job.ask('/redrive', body)).toMatchObject({
        code: 422,
        field: 'budget.functionSeconds',
        error: expect.stringMatching(/^budget\.functionSeconds: 0\.\d+ are spent already; give more$/),
      });
    expect(await job.store.head(`jobs/${JOB}/control/1.json`)).toBeUndefined();
    expect(await job.ask('/redrive', { budget: { requests: 2 } })).toMatchObject({
      code: 422,
      field: 'budget.requests',
      error: expect.stringMatching(/^budget\.requests: \d+ are spent already; give more$/),
    });
    expect(await job.ask('/redrive', { budget: { functionSeconds: 100 } })).toMatchObject({
      code: 200,
      status: 'running',
    });
    await job.run();
    expect(await job.ask('/redrive')).toMatchObject({ code: 409, field: 'job' });
  });

  test('that was redriven keeps the limits it runs with', async () => {
    const job = await stopped(options);
    const body = { deadlineSeconds: 600, budget: { functionSeconds: 100, requests: 10_000 } };
    expect(await job.ask('/redrive', body)).toMatchObject({ code: 200 });
    // Its answer was lost: said again it is the same.
    for (const same of [body, {}, { deadlineSeconds: 600 }])
      expect(await job.ask('/redrive', same)).toMatchObject({ code: 200, status: 'running' });
    expect(await job.ask('/redrive', { ...body, deadlineSeconds: 700 })).toEqual({
      code: 409,
      field: 'deadlineSeconds',
      error: `deadlineSeconds: job ${JOB} is running with 600, not 700; only a job that failed or was stopped is given other limits`,
      status: undefined,
    });
    expect(await job.ask('/redrive', { budget: { functionSeconds: 100, requests: 20_000 } })).toMatchObject({
      code: 409,
      field: 'budget.requests',
    });
    // A budget replaces the whole one.
    expect(await job.ask('/redrive', { budget: { functionSeconds: 100 } })).toMatchObject({
      code: 409,
      field: 'budget.requests',
      error: expect.stringMatching(/with 10000, not none/),
    });
    expect(await job.store.head(`jobs/${JOB}/control/2.json`)).toBeUndefined();
  });

  test('that has ended is neither paused nor resumed', async () => {
    const job = await stopped(options);
    expect(await job.ask('/pause')).toMatchObject({ code: 409, field: 'job' });
    expect(await job.ask('/resume')).toMatchObject({
      code: 409,
      error: `job ${JOB} is stopped: only what was paused can be resumed; redrive what failed or was stopped`,
    });
    expect((await job.ask('/explode')).code).toBe(404);
  });
});
