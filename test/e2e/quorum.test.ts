/** On the real stack: one shard of eight is dead for good, and each round closes at its quorum, soon; a message is lost. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { SQSEvent } from 'aws-lambda';
import { expect, test } from 'vitest';
import { JobPlan, RoundCommit } from '../../core/contracts/job.ts';
import { jobPlanKey, jobRevivalKey, roundCommitKey, shardUpdateKey } from '../../core/contracts/keys.ts';
import { decodeState, encodeState } from '../../core/jobs/state.ts';
import { meanState } from '../../core/strategies/merging.ts';
import { sha256Hex } from '../../core/storage/blobs.ts';
import { getJson } from '../../core/storage/json.ts';
import { createClient } from '../../infra/cli/client.ts';
import type { Invocable } from '../../infra/local/lambda/invocation.ts';
import { LOG_FILE, readLine } from '../../infra/local/function-lines.ts';
import { startStack } from '../../infra/local/stack.ts';
import { prepareSmallJob, temporaryState } from './small-job.ts';

const DEAD = 3;
const FLEET = 2;
/** Seconds. */
const TIMES = { visibilityS: 8, watchS: 4, lostS: 5, sweepEveryS: 2, stalledS: 8 };

/** The function dies of every message of the dead shard. While it `loses`, messages are acknowledged unread. */
function deadly(target: Invocable) {
  const seen = { active: 0, most: 0, deaths: 0, loses: false, lost: 0 };
  const invocable: Invocable = {
    maxConcurrency: target.maxConcurrency,
    free: () => target.free(),
    whenFree: () => target.whenFree(),
    async invoke(event, options) {
      const task = JSON.parse((event as SQSEvent).Records[0]?.body ?? '{}') as {
        kind?: string;
        shard?: number;
      };
      if (seen.loses) {
        if (task.kind === 'plan') seen.lost += 1;
        return { kind: 'result', payload: JSON.stringify({ batchItemFailures: [] }) };
      }
      if (task.shard === DEAD) {
        seen.deaths += 1;
        return { kind: 'failed', error: { errorType: 'Runtime.ExitError', errorMessage: 'killed' } };
      }
      seen.active += 1;
      seen.most = Math.max(seen.most, seen.active);
      try {
        return await target.invoke(event, options);
      } finally {
        seen.active -= 1;
      }
    },
  };
  return { invocable, seen };
}

test(
  '1 of 8 dead: rounds close at 7 within a visibility timeout and a second; a job without messages goes on',
  { timeout: 180_000 },
  async () => {
    const state = await temporaryState();
    let seen: ReturnType<typeof deadly>['seen'] | undefined;
    const stack = await startStack({
      stateDir: state.path,
      port: 0,
      fleet: FLEET,
      times: TIMES,
      wrapFleet: (fleet) => {
        const wrapped = deadly(fleet);
        seen = wrapped.seen;
        return wrapped.invocable;
      },
    });
    try {
      const client = createClient(stack.routerUrl);
      const spec = await prepareSmallJob(stack.store);
      const { job } = await client.createJob({
        ...spec,
        shards: 8,
        quorum: 7,
        epochs: 1,
        strategy: { kind: 'local-sgd', localSteps: 9 },
      });
      const result = await client.follow(job, () => {});
      expect(result).toMatchObject({ status: 'succeeded' });

      const plan = await getJson(stack.store, jobPlanKey(job), JobPlan);
      const commits: RoundCommit[] = [];
      for (let round = 0; round < (plan?.rounds ?? 0); round++) {
        const commit = await getJson(stack.store, roundCommitKey(job, round), RoundCommit);
        if (commit !== undefined) commits.push(commit);
      }
      expect(commits).toHaveLength(2);
      const times = [plan?.plannedAt, ...commits.map(({ committedAt }) => committedAt)].map((at) =>
        Date.parse(at ?? ''),
      );
      const open = times.slice(1).map((at, i) => (at - (times[i] ?? NaN)) / 1000);
      console.log(`rounds closed after ${open.map((seconds) => seconds.toFixed(2)).join(', ')} s`);
      // The first one's functions are cold.
      for (const seconds of open.slice(1)) expect(seconds).toBeLessThan(TIMES.visibilityS + 1);
      expect(seen?.deaths).toBeGreaterThanOrEqual(2);
      // What is in flight follows what the fleet can take.
      expect(seen?.most).toBe(FLEET);

      // The state is a function of who was in, as the commit says.
      for (const commit of commits) {
        expect(commit.missing).toEqual([DEAD]);
        const updates = await Promise.all(
          commit.shards.map(async ({ shard, samples, count, sha256 }) => {
            const body = (await stack.store.get(shardUpdateKey(job, commit.round, shard)))!.body;
            expect(await sha256Hex(body)).toBe(sha256);
            const { parameters, slots } = decodeState(body, plan!.parameters, ['m', 'v']);
            return { shard, samples, count, vectors: { parameters, ...slots } };
          }),
        );
        const state = { parameters: new Float32Array(0), slots: {} };
        const trained = updates[0]!.vectors.parameters.length;
        const merged = meanState(['m', 'v']).merge({
          state,
          updates: updates.toReversed(),
          trained,
          step: 0,
          steps: 1,
        });
        expect(await sha256Hex(encodeState(merged, plan!.parameters))).toBe(commit.state);
      }

      // Its only message is lost, but for the watch that would come in five minutes.
      seen!.loses = true;
      const orphan = await client.createJob({ ...spec, shards: 2, epochs: 1 });
      while (seen!.lost === 0) await setTimeout(50);
      seen!.loses = false;
      expect(await client.follow(orphan.job, () => {})).toMatchObject({ status: 'succeeded' });
      expect(await stack.store.head(jobRevivalKey(orphan.job, 1))).toBeDefined();
      const lines = (await readFile(join(state.path, LOG_FILE), 'utf8')).split('\n').map(readLine);
      const swept = lines.filter((line) => line?.message === 'jobs swept');
      expect(swept[0]).toMatchObject({ service: 'sweep', level: 'WARN', revived: [orphan.job], faults: [] });
    } finally {
      await stack.stop();
      await state.remove();
    }
  },
);
