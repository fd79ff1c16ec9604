/**
 * One job on the real local stack, a process of its own that is killed by SIGKILL again and again, at any moment: while it
 * starts, while functions run. Then the collector sweeps what that left.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { blobKey } from '../../core/contracts/keys.ts';
import { createRandom } from '../../core/random.ts';
import { listAll } from '../../core/storage/list.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import { createClient } from '../../infra/cli/client.ts';
import { connectStore } from '../../infra/cli/connection.ts';
import { startStack } from '../../infra/local/stack.ts';
import { prepareSmallJob, statesOf, temporaryState } from '../e2e/small-job.ts';
import { causeway, startProcess } from '../e2e/stack-process.ts';

/** Seconds that the stack is left to work, at most; and the share of kills that come before it is ready. */
const WORKS_S = 3;
const BEFORE_READY = 0.25;
const POLL_MS = 40;

export interface Ended {
  readonly graph: string;
  readonly states: readonly string[];
}

export interface Killed extends Ended {
  readonly kills: number;
  /** Kills of a stack that was not ready yet. */
  readonly early: number;
  /** Committed rounds at each kill of a stack that was ready. */
  readonly rounds: readonly number[];
  readonly swept: { readonly objects: number; readonly bytes: number };
}

const graphOf = (result: { status: string }): string => {
  if (result.status !== 'succeeded' || !('graph' in result) || typeof result.graph !== 'string')
    throw new Error(`the job ended as ${JSON.stringify(result)}`);
  return result.graph;
};

/** @param epochs how long the job is */
export async function runUndisturbed(epochs: number): Promise<Ended> {
  const state = await temporaryState();
  const stack = await startStack({ stateDir: state.path, port: 0 });
  try {
    const client = createClient(stack.routerUrl);
    const { job } = await client.createJob({ ...(await prepareSmallJob(stack.store)), epochs });
    const graph = graphOf(await client.follow(job, () => {}));
    return { graph, states: await statesOf(stack.store, job, (await client.job(job)).rounds) };
  } finally {
    await stack.stop();
    await state.remove();
  }
}

/** @throws where the job ended before it was killed so often, or as anything but succeeded */
export async function runKilled(
  kills: number,
  epochs: number,
  seed: number,
  undisturbed: Ended,
): Promise<Killed> {
  const random = createRandom(seed, kills);
  const state = await temporaryState();
  let process = startProcess(state.path);
  try {
    const began = performance.now();
    let client = await process.ready;
    const startMs = performance.now() - began;
    const spec = { ...(await prepareSmallJob(await connectStore({ state: state.path }))), epochs };
    const { job, model } = await client.createJob(spec);
    const rounds: number[] = [];
    for (let kill = 1; kill <= kills; kill++) {
      if (kill > 1 && random.uniform() < BEFORE_READY) await sleep(random.uniform() * startMs);
      else {
        client = await process.ready;
        // A quick machine must not end the job before it was killed often enough.
        const atMost = (kill / (kills + 3)) * undisturbed.states.length;
        const until = performance.now() + random.uniform() * WORKS_S * 1000;
        let seen = await client.job(job);
        while (seen.round < atMost && performance.now() < until) {
          await sleep(POLL_MS);
          seen = await client.job(job);
        }
        if (seen.result !== null) throw new Error(`the job ended before kill ${kill} of ${kills}`);
        rounds.push(seen.round);
      }
      await process.end('SIGKILL');
      process = startProcess(state.path);
    }
    client = await process.ready;
    const graph = graphOf(await client.follow(job, () => {}));
    const store = await connectStore({ state: state.path });
    const states = await statesOf(store, job, (await client.job(job)).rounds);
    const swept = await sweep(store, state.path, [spec.model.graph, graph, states.at(-1)!]);
    // What is left answers.
    const data = Array.from({ length: 784 }, () => 0);
    const image = { name: 'image', shape: [1, 784], datatype: 'FP32', data };
    await client.infer(`/v2/models/${model}/infer`, JSON.stringify({ inputs: [image] }));
    return { graph, states, kills, early: kills - rounds.length, rounds, swept };
  } finally {
    await process.end('SIGINT');
    await state.remove();
  }
}

const Report = z.object({ removed: z.object({ objects: z.int(), bytes: z.int() }) });

/** @throws where `causeway gc` leaves an orphan or takes what is needed */
async function sweep(store: ObjectStore, state: string, needed: readonly string[]) {
  const gc = async (...args: string[]) =>
    Report.parse(JSON.parse(await causeway('gc', '--older-than', '0s', '--json', '--state', state, ...args)))
      .removed;
  const promised = await gc('--dry-run');
  const removed = await gc();
  if (removed.objects !== promised.objects || removed.objects === 0)
    throw new Error(`the dry run promised ${promised.objects} objects, ${removed.objects} were removed`);
  const keys = (await listAll(store, '')).map(({ key }) => key);
  // By name, not by the collector's own judgement: three blobs, the rows, and documents.
  const blobs = keys.filter((key) => key.startsWith(blobKey('')));
  const expected = [...new Set(needed)].map(blobKey).sort();
  if (blobs.sort().join() !== expected.join())
    throw new Error(`blobs left: ${blobs.join(', ')}; needed: ${expected.join(', ')}`);
  const others = keys.filter((key) => !/\.json$|^blobs\/|^index\/|^datasets\/.*\.safetensors$/.test(key));
  if (others.length > 0) throw new Error(`left after the sweep: ${others.join(', ')}`);
  return removed;
}

/** @returns for people; @throws where the bytes are others */
export async function killedStackReport(kills: number, epochs: number, seed: number): Promise<string> {
  const undisturbed = await runUndisturbed(epochs);
  const killed = await runKilled(kills, epochs, seed, undisturbed);
  const round = undisturbed.states.findIndex((state, i) => state !== killed.states[i]);
  if (round >= 0 || killed.graph !== undisturbed.graph)
    throw new Error(`released ${killed.graph} in place of ${undisturbed.graph}; first other round ${round}`);
  return [
    `the whole stack killed ${kills} times during one job, ${killed.early} times while it started: the same bytes in all ` +
      `${killed.states.length} rounds and the release`,
    `  at rounds ${killed.rounds.join(', ')}`,
    `  causeway gc then removed ${killed.swept.objects} objects of ${killed.swept.bytes} bytes and left what is needed`,
  ].join('\n');
}
