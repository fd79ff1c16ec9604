/**
 * What one function does with a batch job's parts, by its thread's own CPU time, which other programs on the machine do
 * not lengthen: reading, checking, converting, running, encoding, writing, with a store in memory. Beside it a bare
 * loop around `session.run` on the same thread. In a worker with a heap of its own: a collection of garbage costs what lies
 * in the heap, and a function's has no test bench in it.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Tensor } from 'onnxruntime-node';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { createSession } from '../../cloud/adapters/onnxruntime-session.ts';
import type { BatchContext } from '../../cloud/batch/context.ts';
import { batchWork } from '../../cloud/batch/kinds/batch.ts';
import { recent, shardCache } from '../../cloud/training/caches.ts';
import { FanOutPlan, type OutputFormat } from '../../core/contracts/fan-out.ts';
import type { Columns } from '../../core/datasets/columns.ts';
import { importDataset } from '../../core/datasets/import.ts';
import { part } from '../../core/jobs/schedule.ts';
import type { InferenceRuntime, ModelSession } from '../../core/inference/runtime.ts';
import { putBlob } from '../../core/storage/blobs.ts';
import { memoryStore } from '../unit/memory-store.ts';
import type { Loop } from './batch-loop.ts';

const PARTS = 4;
const now = () => new Date();

export interface FunctionRates {
  /** Rows to a second of CPU time. */
  readonly bare: number;
  readonly job: number;
}

interface Measured {
  readonly loop: Loop;
  readonly images: Columns;
  readonly format: OutputFormat;
}

export async function functionRates(measured: Measured): Promise<FunctionRates> {
  const worker = new Worker(new URL(import.meta.url), { workerData: measured });
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  const rates = await new Promise<FunctionRates>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  await ended;
  return rates;
}

async function measure({ loop, images, format }: Measured): Promise<FunctionRates> {
  const store = memoryStore();
  await importDataset(store, { name: 'mnist', splits: { test: images }, shards: PARTS, now });
  const native = nativeRuntime();
  const sessions: ModelSession[] = [];
  const runtime: InferenceRuntime = {
    ...native,
    async load(model) {
      const session = await native.load(model);
      sessions.push(session);
      return session;
    },
  };
  const context: BatchContext = {
    store,
    queue: { send: () => Promise.resolve() },
    runtime,
    now,
    watchSeconds: 1,
    // Each shard is read once, as by a function that is given a part of its own.
    caches: { rows: shardCache(0), sessions: recent(1) },
  };
  const plan = FanOutPlan.parse({
    v: 1,
    job: 'job_000000000bench',
    spec: {
      kind: 'batch',
      model: { name: 'm', release: 1 },
      dataset: { name: 'mnist', version: 1 },
      batchSize: loop.batchSize,
      format,
    },
    model: await putBlob(store, loop.model),
    parts: Array.from({ length: PARTS }, (_, k) => part(images.rows, PARTS, k)),
    plannedAt: now().toISOString(),
  });
  const work = batchWork(context);
  // Loads the model.
  await work.execute(plan, 0);
  const job = await cpuSeconds(async () => {
    for (const k of plan.parts.keys()) await work.execute(plan, k);
  });
  const bare = await bareSeconds(loop);
  // A thread that ends while it holds a session takes the process with it.
  for (const session of sessions) await session.release();
  return { job: images.rows / job, bare: images.rows / bare };
}

async function bareSeconds({ model, rows, shape, batchSize }: Loop): Promise<number> {
  const session = await createSession(model);
  const [input = ''] = session.inputNames;
  const length = batchSize * shape.reduce((product, size) => product * size, 1);
  const batches = Array.from({ length: Math.ceil(rows.length / length) }, (_, i) => {
    const data = rows.subarray(i * length, (i + 1) * length);
    return new Tensor('float32', data, [(data.length / length) * batchSize, ...shape]);
  });
  await session.run({ [input]: batches[0]! });
  const seconds = await cpuSeconds(async () => {
    for (const batch of batches) await session.run({ [input]: batch });
  });
  await session.release();
  return seconds;
}

async function cpuSeconds(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

if (!isMainThread) {
  const rates = await measure(workerData as Measured);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread has no origin
  parentPort?.postMessage(rates);
}
