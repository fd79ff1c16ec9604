/** What a request to the local stack takes: medians of a few. */
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { createSqsClient } from '../../../cloud/adapters/sqs-queue.ts';
import { median } from '../../../core/jobs/stragglers.ts';
import { localPlatform, type Platform } from '../../../core/planning/platform.ts';
import type { ObjectStore } from '../../../core/storage/object-store.ts';

const TRIES = 9;
const PROBE = 'planning/probe';
const PROBE_BYTES = 4_000_000;

/** Multiplications, about 60 ms of one core. */
const LOOP = `
  const { parentPort } = require('node:worker_threads');
  const run = () => { let x = 1; for (let i = 0; i < 6e7; i++) x = x * 1.0000001 + 1e-9; return x; };
  run();
  parentPort.on('message', () => { const began = performance.now(); run(); parentPort.postMessage(performance.now() - began); });
`;

/** How much slower each of so many functions is beside the others, and beside whatever else runs here: at most 1. */
async function speedAmong(functions: number): Promise<number> {
  const workers = Array.from({ length: functions }, () => new Worker(LOOP, { eval: true }));
  const together = async (some: readonly Worker[]) => {
    const times = await Promise.all(
      some.map(async (worker) => {
        const answer = once(worker, 'message');
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
        worker.postMessage('go');
        return Number((await answer)[0]);
      }),
    );
    return times.reduce((sum, time) => sum + time, 0) / times.length;
  };
  try {
    await together(workers);
    let [alone, among] = [0, 0];
    for (let i = 0; i < 3; i++) {
      alone += await together(workers.slice(0, 1));
      among += await together(workers);
    }
    return Math.min(1, alone / among);
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/** @param environment that reaches the stack's queue @param functions of its fleet; default: one a core, as its own */
export async function measureLocal(
  store: ObjectStore,
  environment: Readonly<Record<string, string | undefined>>,
  functions = availableParallelism(),
): Promise<Platform> {
  const typical = async (work: () => Promise<unknown>) => {
    const seconds: number[] = [];
    for (let i = 0; i < TRIES; i++) {
      const began = performance.now();
      await work();
      seconds.push((performance.now() - began) / 1000);
    }
    return median(seconds)!;
  };
  const sqs = createSqsClient(environment);
  try {
    const read = await typical(() => store.head(PROBE));
    const write = await typical(() => store.put(PROBE, new Uint8Array(1)));
    const large = new Uint8Array(PROBE_BYTES);
    await store.put(PROBE, large);
    const transfer = await typical(() => store.get(PROBE));
    const send = await typical(() =>
      sqs.send(new GetQueueAttributesCommand({ QueueUrl: environment['CAUSEWAY_QUEUE_URL'] ?? '' })),
    );
    return localPlatform({
      read,
      write,
      send,
      bytesPerSecond: PROBE_BYTES / Math.max(1e-4, transfer - read),
      concurrency: functions,
      speed: await speedAmong(functions),
    });
  } finally {
    await store.delete(PROBE);
    sqs.destroy();
  }
}
