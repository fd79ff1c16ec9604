/** One job, one result: undisturbed, with every message delivered twice, and with the whole stack killed half-way. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { JobResult } from '../../core/contracts/job.ts';
import { createClient } from '../../infra/cli/client.ts';
import { connectStore } from '../../infra/cli/connection.ts';
import { duplicating } from '../../infra/local/lambda/faults.ts';
import { type StackOptions, startStack } from '../../infra/local/stack.ts';
import { prepareSmallJob, statesOf, temporaryState } from './small-job.ts';

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

const main = fileURLToPath(new URL('../../infra/cli/main.ts', import.meta.url));

async function startProcess(stateDir: string) {
  const child = spawn(process.execPath, [main, 'up', '--bare', '--port', '0', '--state', stateDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  for await (const chunk of child.stdout) {
    output += String(chunk);
    if (output.includes('Ctrl-C')) break;
  }
  const { routerUrl } = JSON.parse(await readFile(join(stateDir, 'stack.json'), 'utf8')) as {
    routerUrl: string;
  };
  return { child, client: createClient(routerUrl) };
}

async function runKilledJob(): Promise<Course> {
  const state = await temporaryState();
  const first = await startProcess(state.path);
  try {
    const spec = await prepareSmallJob(await connectStore({ state: state.path }));
    const { job } = await first.client.createJob(spec);
    const killed = once(first.child, 'exit');
    await first.client
      .follow(job, ({ round }) => {
        if (round >= 2) first.child.kill('SIGKILL');
      })
      .catch(() => 'the connection went with the process');
    await killed;

    const second = await startProcess(state.path);
    try {
      const before = await second.client.job(job);
      expect(before.round).toBeGreaterThanOrEqual(2);
      const result = await second.client.follow(job, () => {});
      const { rounds } = await second.client.job(job);
      return { result, states: await statesOf(await connectStore({ state: state.path }), job, rounds) };
    } finally {
      const stopped = once(second.child, 'exit');
      second.child.kill('SIGINT');
      await stopped;
    }
  } finally {
    first.child.kill('SIGKILL');
    await state.remove();
  }
}

test('a job ends with the same bytes, whatever happens on the way', { timeout: 120_000 }, async () => {
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
