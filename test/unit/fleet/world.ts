/**
 * The fleet's real task handlers over an in-memory store, with a training program that costs nothing: only ONNX Runtime
 * is stood in for, by a gradient and an output that are simple functions of what goes in.
 */
import { recent, shardCache } from '../../../cloud/training/caches.ts';
import type { FleetCaches, FleetContext } from '../../../cloud/training/context.ts';
import type { TrainingProgram } from '../../../cloud/training/engine/program.ts';
import type { TrainRequest } from '../../../core/contracts/job.ts';
import type { Task } from '../../../core/contracts/task.ts';
import { columns } from '../../../core/datasets/columns.ts';
import { importDataset } from '../../../core/datasets/import.ts';
import type { InferenceRuntime } from '../../../core/inference/runtime.ts';
import { acceptJob } from '../../../core/jobs/accept.ts';
import { stateLength } from '../../../core/jobs/state.ts';
import { buildMlp } from '../../../core/onnx/builders/mlp.ts';
import { decodeModel } from '../../../core/onnx/model.ts';
import { signatureOf } from '../../../core/onnx/signature.ts';
import type { TaskQueue } from '../../../core/queue/task-queue.ts';
import { putBlob } from '../../../core/storage/blobs.ts';
import type { ObjectStore } from '../../../core/storage/object-store.ts';
import type { ParameterSlot } from '../../../core/contracts/job.ts';
import { releaseModel } from '../../release-model.ts';

export const START = Date.parse('2026-01-02T03:04:05Z');
export const JOB = 'job_00000001';
const ROWS = 12;
const GRAPH = buildMlp({ inputs: 1, hidden: [1], classes: 2, seed: 1, inputName: 'x', outputName: 'p' });

async function importRows(store: ObjectStore): Promise<void> {
  const split = columns({
    x: { spec: { dtype: 'F32', shape: [1] }, data: Float32Array.from({ length: ROWS }, (_, row) => row / 7) },
    y: { spec: { dtype: 'U8', shape: [] }, data: Uint8Array.from({ length: ROWS }, (_, row) => row % 2) },
  });
  const splits = { train: split, test: split };
  await importDataset(store, { name: 'd', splits, shards: 1, now: () => new Date(START) });
}

/** Rows, and a release of the model. @returns a batch job over them, of six parts unless `change` says else */
export async function prepareBatch(store: ObjectStore, change: object = {}): Promise<unknown> {
  await importRows(store);
  await releaseModel(store, GRAPH, new Date(START));
  const spec = { kind: 'batch', model: { name: 'm' }, dataset: { name: 'd' }, shards: 6, ...change };
  // As JSON has it: what is undefined is not there.
  return JSON.parse(JSON.stringify(spec)) as unknown;
}

/** Rows, a model and a spec. @param change of the spec: two shards and two rounds of two steps unless it says else */
export async function prepare(store: ObjectStore, change: Partial<TrainRequest> = {}): Promise<TrainRequest> {
  await importRows(store);
  return {
    kind: 'train',
    model: { name: 'm', graph: await putBlob(store, GRAPH) },
    dataset: { name: 'd' },
    loss: { kind: 'softmax-cross-entropy', output: 'p', target: 'y' },
    optimizer: { kind: 'adam', learningRate: 0.1 },
    shards: 2,
    epochs: 4,
    batchSize: 6,
    strategy: { kind: 'local-sgd', localSteps: 2 },
    ...change,
  };
}

/** @param broken a value of `x` that no gradient can be taken at */
export function standInProgram(parameters: readonly ParameterSlot[], broken?: number): TrainingProgram {
  const length = stateLength(parameters);
  const own = new Float32Array(length);
  return {
    parameters,
    length,
    inputs: ['x', 'y'].map((name) => ({ name, dtype: 'F32', shape: ['batch'] })),
    trained: length,
    noise: [],
    rules: [],
    metrics: ['accuracy'],
    gradients(flat, batch, gradient = own) {
      const rows = batch['x']!.data as Float32Array;
      const sum = rows.reduce((total, value) => total + (value === broken ? NaN : value), 0);
      for (let i = 0; i < length; i++) gradient[i] = flat[i]! * 0.3 + sum * (i + 1);
      const samples = rows.length;
      return Promise.resolve({ loss: sum, count: samples, sums: { accuracy: sum / 3 }, samples, gradient });
    },
    release: () => Promise.resolve(),
  };
}

const signature = signatureOf(decodeModel(GRAPH));
export const standInRuntime: InferenceRuntime = {
  name: 'stand-in',
  load: () =>
    Promise.resolve({
      ...signature,
      run(inputs) {
        const { data } = inputs['x']!;
        const p = Float32Array.from({ length: data.length * 2 }, (_, i) => (i % 2 === 0 ? 0.25 : 0.75));
        return Promise.resolve({ p: { dtype: 'F32', shape: [data.length, 2], data: p } });
      },
      release: () => Promise.resolve(),
    }),
};

export function coldCaches(): FleetCaches {
  return {
    rows: shardCache(1e6),
    programs: recent<Promise<TrainingProgram>>(1),
    states: recent<never>(4),
    documents: recent(64),
    sessions: recent(1),
  };
}

/** @param program for whatever graph a task asks for */
export function fleetContext(
  given: { readonly store: ObjectStore; readonly queue: TaskQueue } & Partial<FleetContext>,
  program?: TrainingProgram,
): FleetContext {
  const caches = given.caches ?? coldCaches();
  return {
    runtime: standInRuntime,
    now: () => new Date(START),
    watchSeconds: 20,
    lostSeconds: 60,
    ...given,
    caches:
      program === undefined
        ? caches
        : {
            ...caches,
            programs: { get: () => Promise.resolve(program), set: () => undefined, delete: () => undefined },
          },
  };
}

export async function accept(
  store: ObjectStore,
  queue: TaskQueue,
  spec: unknown,
  traceparent?: string,
): Promise<void> {
  await acceptJob(store, queue, spec, { job: JOB, now: new Date(START), traceparent });
}

const nothing = () => Promise.resolve({ visible: 0, inFlight: 0, delayed: 0 });
/** For an API that is not asked. */
export const NO_DEPTHS = { tasks: nothing, deadLetters: nothing };

export interface Sent {
  readonly task: Task;
  readonly delaySeconds: number;
  readonly traceparent: string | undefined;
}

/** A queue that only remembers. */
export function rememberingQueue(): TaskQueue & { readonly sent: Sent[] } {
  const sent: Sent[] = [];
  return {
    sent,
    send(tasks, { delaySeconds = 0, traceparent } = {}) {
      sent.push(
        ...tasks.map((task) => ({
          task,
          delaySeconds: typeof delaySeconds === 'function' ? delaySeconds(task) : delaySeconds,
          traceparent,
        })),
      );
      return Promise.resolve();
    },
  };
}
