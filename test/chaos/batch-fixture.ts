/** Jobs that are split and merged, with the handlers that ship and a store and queue in memory. */
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { recent, shardCache } from '../../cloud/training/caches.ts';
import type { FleetContext } from '../../cloud/training/context.ts';
import { dispatch, type MessageDelivery } from '../../cloud/training/dispatch.ts';
import type { JobSpec } from '../../core/contracts/job.ts';
import type { Task } from '../../core/contracts/task.ts';
import { columns } from '../../core/datasets/columns.ts';
import { importDataset } from '../../core/datasets/import.ts';
import { acceptJob } from '../../core/jobs/accept.ts';
import { lookAtJob, rememberJob } from '../../core/jobs/look.ts';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { decodeModel } from '../../core/onnx/model.ts';
import { signatureOf } from '../../core/onnx/signature.ts';
import { createRandom } from '../../core/random.ts';
import { moveChannel } from '../../core/registry/channels.ts';
import { publishRelease } from '../../core/registry/releases.ts';
import { putBlob } from '../../core/storage/blobs.ts';
import type { z } from 'zod';
import { memoryStore, type MemoryStore } from '../unit/memory-store.ts';

export type Request = z.input<typeof JobSpec>;

export const NOW = new Date('2026-01-02T03:04:05Z');
export const ROWS = 1_000;
export const SHARDS = 4;
export const FEATURES = 5;
export const CLASSES = 3;
export const JOB = 'job_00000001';

export const GRAPH = buildMlp({
  inputs: FEATURES,
  hidden: [16],
  classes: CLASSES,
  seed: 1,
  inputName: 'x',
  outputName: 'p',
});

/** Rows as they are stored: bytes that the model sees divided by 255, and a class. */
export function testRows(rows = ROWS) {
  const random = createRandom(5);
  const x = Uint8Array.from({ length: rows * FEATURES }, () => Math.floor(random.uniform() * 256));
  const y = Uint8Array.from({ length: rows }, () => Math.floor(random.uniform() * CLASSES));
  return { x, y };
}

export interface World {
  readonly store: MemoryStore;
  /** Tasks and delayed ones that were sent and not yet taken. */
  readonly tasks: Task[];
  readonly delayed: Task[];
  readonly context: FleetContext;
  accept(spec: unknown, job?: string): Promise<void>;
  deliver(message: unknown, delivery?: Partial<MessageDelivery>): Promise<void>;
  /** Handles all tasks there are, first come first served. */
  drain(): Promise<void>;
  look(job?: string): Promise<Awaited<ReturnType<typeof lookAtJob>>>;
}

/** A store with dataset `d` (splits `test` and `few`) and model `m`, release 1 in channel `stable`. */
export async function createWorld(): Promise<World> {
  const store = memoryStore();
  const { x, y } = testRows();
  const all = columns({
    x: { spec: { dtype: 'U8', shape: [FEATURES], divisor: 255 }, data: x },
    y: { spec: { dtype: 'U8', shape: [] }, data: y },
  });
  await importDataset(store, { name: 'd', splits: { test: all }, shards: SHARDS, now: () => NOW });
  const { inputs, outputs } = signatureOf(decodeModel(GRAPH));
  const sha256 = await putBlob(store, GRAPH);
  const tensors = (specs: typeof inputs) => specs.map((spec) => ({ ...spec, shape: [...spec.shape] }));
  await publishRelease(store, 'm', 'job_0000trained', (release) => ({
    v: 1,
    model: 'm',
    release,
    variants: { fp32: { sha256, bytes: GRAPH.length } },
    signature: { inputs: tensors(inputs), outputs: tensors(outputs) },
    metrics: {},
    lineage: { job: 'job_0000trained', dataset: { name: 'd', version: 1 }, graph: sha256 },
    createdAt: NOW.toISOString(),
  }));
  await moveChannel(store, 'm', 'stable', 1, NOW);

  const tasks: Task[] = [];
  const delayed: Task[] = [];
  const context: FleetContext = {
    store,
    queue: {
      send: (sent, { delaySeconds = 0 } = {}) => {
        for (const task of sent) {
          const seconds = typeof delaySeconds === 'number' ? delaySeconds : delaySeconds(task);
          (seconds === 0 ? tasks : delayed).push(task);
        }
        return Promise.resolve();
      },
    },
    runtime: nativeRuntime(),
    now: () => NOW,
    watchSeconds: 1,
    caches: {
      rows: shardCache(1e7),
      programs: recent<never>(1),
      sessions: recent(4),
      states: recent<never>(1),
      documents: recent(64),
    },
  };
  const deliver = (message: unknown, delivery: Partial<MessageDelivery> = {}) =>
    dispatch(context, JSON.stringify(message), {
      messageId: 'message',
      redelivered: false,
      lastChance: false,
      ...delivery,
    });
  return {
    store,
    tasks,
    delayed,
    context,
    deliver,
    accept: async (spec, job = JOB) => {
      await acceptJob(store, context.queue, spec, { job, now: NOW });
    },
    async drain() {
      for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) await deliver(task);
    },
    async look(job = JOB) {
      const memory = await rememberJob(store, job);
      return memory && lookAtJob(store, job, NOW, memory);
    },
  };
}

/** Bytes of everything under a prefix, by key. */
export async function contents(store: MemoryStore, prefix: string): Promise<Map<string, string>> {
  const { objects } = await store.list(prefix);
  const entries = objects.map(async ({ key }) => {
    const object = await store.get(key);
    return [key, Buffer.from(object!.body).toString('latin1')] as const;
  });
  return new Map(await Promise.all(entries));
}
