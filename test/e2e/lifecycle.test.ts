/** Pause, resume, budget and redrive on the real stack, by the command line. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { JobView } from '../../core/contracts/job.ts';
import { createClient } from '../../infra/cli/client.ts';
import { startStack } from '../../infra/local/stack.ts';
import { prepareSmallJob, statesOf, temporaryState } from './small-job.ts';

const main = fileURLToPath(new URL('../../infra/cli/main.ts', import.meta.url));
const run = promisify(execFile);
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test(
  'a job that was paused, stopped and redriven ends as if nothing had been',
  { timeout: 240_000 },
  async () => {
    const state = await temporaryState();
    const stack = await startStack({
      stateDir: state.path,
      port: 0,
      times: { watchS: 5 },
      variables: ['MAX_BODY_BYTES:100000'],
    });
    const causeway = async (...args: string[]) => {
      const { stdout } = await run(process.execPath, [
        main,
        'jobs',
        ...args,
        '--json',
        '--state',
        state.path,
      ]);
      return JobView.parse(JSON.parse(stdout));
    };
    try {
      const client = createClient(stack.routerUrl);
      const large = await fetch(`${stack.routerUrl}/v2/models/m/infer`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: ' '.repeat(100_001),
      });
      expect(large.status).toBe(413);
      const small = await prepareSmallJob(stack.store);
      const spec = { ...small, epochs: 2, strategy: { kind: 'local-sgd', localSteps: 6 } } as const;
      const plain = await client.createJob(spec);
      expect(await client.follow(plain.job, () => {})).toMatchObject({ status: 'succeeded' });
      const { rounds, spent } = await client.job(plain.job);
      expect(spent?.functionSeconds).toBeGreaterThan(0);
      expect(spent?.dollars).toBeGreaterThan(0);
      const states = await statesOf(stack.store, plain.job, rounds);

      const paused = await client.createJob(spec);
      while ((await client.job(paused.job)).round < 1) await wait(20);
      await client.actOnJob(paused.job, 'pause');
      expect((await causeway('pause', paused.job)).status).toBe('paused');
      // What runs finishes; then nothing moves.
      await wait(2_000);
      const { round } = await client.job(paused.job);
      await wait(1_500);
      expect(await client.job(paused.job)).toMatchObject({ status: 'paused', round });
      expect(round).toBeLessThan(rounds);
      expect((await causeway('resume', paused.job)).status).toBe('running');
      expect(await client.follow(paused.job, () => {})).toMatchObject({ status: 'succeeded' });
      expect(await statesOf(stack.store, paused.job, rounds)).toEqual(states);

      // Enough requests for about half of it.
      const requests = (spent?.reads ?? 0) + (spent?.writes ?? 0) + (spent?.queueRequests ?? 0);
      const { job } = await client.createJob({ ...spec, budget: { requests: Math.ceil(requests / 2) } });
      const stopped = await client.follow(job, () => {});
      expect(stopped).toMatchObject({ status: 'stopped', limit: 'requests' });
      expect((await causeway('redrive', job, '--budget-requests', String(requests * 10))).status).toBe(
        'running',
      );
      expect(await client.follow(job, () => {})).toMatchObject({ status: 'succeeded' });
      expect(await statesOf(stack.store, job, rounds)).toEqual(states);
      await expect(client.actOnJob(job, 'redrive')).rejects.toMatchObject({ code: 'conflict' });
    } finally {
      await stack.stop();
      await state.remove();
    }
  },
);
