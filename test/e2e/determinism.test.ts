/** One job, one result: undisturbed, with every message delivered twice, and with the whole stack killed half-way. */
import { once } from 'node:events';
import { expect, test } from 'vitest';
import type { JobResult } from '../../core/contracts/job.ts';
import { createClient } from '../../infra/cli/client.ts';
import { connectStore } from '../../infra/cli/connection.ts';
import { duplicating } from '../lambda-faults.ts';
import { type StackOptions, startStack } from '../../infra/local/stack.ts';
import { prepareSmallJob, statesOf, temporaryState } from './small-job.ts';
import { startProcess } from './stack-process.ts';

interface Course {
  readonly result: JobResult;
  readonly states: readonly string[];
}

async function runJob(options: Pick<StackOptions, 'wrapFleet'> = {}): Promise<Course> {
  const state = await temporaryState();
  const stack = await startStack({ stateDir: state.path, port: 0, ...options });
  try {
    const client = createClient(stack.routerUrl);
    const { job } = await client.createJob(await prepareSmallJob(stack.store));
    const result = await client.follow(job, () => {});
    const { rounds } = await client.job(job);
    const { releases } = await client.releases('digits');
    expect(releases).toHaveLength(1);
    return { result, states: await statesOf(stack.store, job, rounds) };
  } finally {
    await stack.stop();
    await state.remove();
  }
}

async function runKilledJob(): Promise<Course> {
  const state = await temporaryState();
  const first = startProcess(state.path);
  try {
    const client = await first.ready;
    const spec = await prepareSmallJob(await connectStore({ state: state.path }));
    const { job } = await client.createJob(spec);
    const killed = once(first.child, 'exit');
    await client
      .follow(job, ({ round }) => {
        if (round < 2) return;
        first.child.kill('SIGKILL');
        throw new Error('killed');
      })
      .catch(() => 'it would wait for another process to answer');
    await killed;

    const second = startProcess(state.path);
    try {
      const again = await second.ready;
      const before = await again.job(job);
      expect(before.round).toBeGreaterThanOrEqual(2);
      const result = await again.follow(job, () => {});
      const { rounds } = await again.job(job);
      return { result, states: await statesOf(await connectStore({ state: state.path }), job, rounds) };
    } finally {
      await second.end('SIGINT');
    }
  } finally {
    first.child.kill('SIGKILL');
    await state.remove();
  }
}

test('a job ends with the same bytes, whatever happens on the way', { timeout: 300_000 }, async () => {
  const undisturbed = await runJob();
  expect(undisturbed.result.status).toBe('succeeded');
  expect(undisturbed.states.length).toBeGreaterThan(3);
  expect(new Set(undisturbed.states).size).toBe(undisturbed.states.length);

  const again = await runJob();
  expect(again.states).toEqual(undisturbed.states);

  const twice = await runJob({ wrapFleet: duplicating });
  expect(twice.states).toEqual(undisturbed.states);

  const killed = await runKilledJob();
  expect(killed.states).toEqual(undisturbed.states);
  for (const { result } of [again, twice, killed]) {
    expect(result).toMatchObject({
      status: 'succeeded',
      graph: undisturbed.result.status === 'succeeded' ? undisturbed.result.graph : '',
    });
  }
});
