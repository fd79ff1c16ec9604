/**
 * What a job's parts take on this machine: it is accepted and planned by the fleet's own code over a store whose writes
 * nobody sees, then a few of its very steps are taken, and its model is evaluated on a few rows.
 */
import { rowsOf } from '../../../cloud/training/engine/batches.ts';
import { loadProgram } from '../../../cloud/training/engine/program.ts';
import { recent, shardCache } from '../../../cloud/training/caches.ts';
import type { FleetContext } from '../../../cloud/training/context.ts';
import { evaluate } from '../../../cloud/training/evaluate.ts';
import { getModel, getState } from '../../../cloud/training/parts.ts';
import { jobSteps } from '../../../cloud/training/job-steps.ts';
import { planJob } from '../../../cloud/training/plan.ts';
import { nativeRuntime } from '../../../cloud/adapters/onnxruntime.ts';
import { outputForm } from '../../../core/autodiff/losses/form.ts';
import type { DatasetManifest } from '../../../core/contracts/dataset.ts';
import { JobPlan, type TrainRequest, type TrainSpec } from '../../../core/contracts/job.ts';
import { jobPlanKey } from '../../../core/contracts/keys.ts';
import { readManifest, readRows } from '../../../core/datasets/read.ts';
import { Fault } from '../../../core/errors.ts';
import { acceptJob } from '../../../core/jobs/accept.ts';
import { jobIdFrom } from '../../../core/jobs/id.ts';
import { decodeModel } from '../../../core/onnx/model.ts';
import { createOptimizer } from '../../../core/optimizers/optimizer.ts';
import type { Job } from '../../../core/planning/workload.ts';
import { getBlob } from '../../../core/storage/blobs.ts';
import { getJson } from '../../../core/storage/json.ts';
import type { ObjectStore } from '../../../core/storage/object-store.ts';
import { overlay } from './overlay.ts';
import { MOST_STEPS, type StepWork, timeSteps } from './steps.ts';

/** Rows that the model is evaluated on; more take as much longer. */
const EVALUATED_ROWS = 1_000;

const clock = () => performance.now() / 1000;

async function timed<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly seconds: number }> {
  const began = clock();
  const value = await work();
  return { value, seconds: clock() - began };
}

export interface Trial {
  readonly job: Job;
  /** How much longer a step takes beside others on this machine, by how many take steps at once: 1 for one alone. */
  readonly slowdown: (beside: number) => number;
}

export interface TrialOptions {
  /** Of a step, where it is known; default: it is measured. */
  readonly stepSeconds?: number | undefined;
  /** Numbers of functions that compute at once on this machine, to be measured; default: only one. */
  readonly besides?: readonly number[];
}

/** @throws Fault as accepting and planning the job does */
export async function tryJob(
  store: ObjectStore,
  request: TrainRequest,
  { stepSeconds, besides = [] }: TrialOptions = {},
): Promise<Trial> {
  const seen = overlay(store);
  // Nobody's: what the store has of other jobs is not read.
  const job = await jobIdFrom(crypto.randomUUID());
  const now = () => new Date(0);
  const runtime = nativeRuntime();
  const queue = { send: () => Promise.resolve() };
  const { spec } = await acceptJob(seen, queue, request, { job, now: now() });
  if (spec.kind !== 'train') throw new Fault('internal', 'no training job was accepted');
  const context = (): FleetContext => ({
    store: seen,
    queue,
    runtime,
    now,
    watchSeconds: 1,
    caches: {
      rows: shardCache(1e9),
      programs: recent(1),
      states: recent(1),
      documents: recent(8),
      sessions: recent(1),
    },
  });
  // Twice: the first time also reads what the store has, and compiles.
  await planJob(context(), job);
  await seen.delete(jobPlanKey(job));
  const { seconds: planSeconds } = await timed(() => planJob(context(), job));
  const plan = await getJson(seen, jobPlanKey(job), JobPlan);
  if (plan === undefined) throw new Fault('internal', 'the job was not planned');

  const manifest = await readManifest(seen, plan.dataset.name, plan.dataset.version);
  const [train, test] = [manifest.splits[spec.splits.train]!, manifest.splits[spec.splits.test]!];
  const graph = await getBlob(seen, plan.trainingGraph);
  const forward = await getBlob(seen, plan.forward);
  const { value: program, seconds: load } = await timed(() => loadProgram(graph, plan.parameters));
  await program.release();
  const isMeasured = stepSeconds === undefined || besides.some((beside) => beside > 1);
  const steps = isMeasured
    ? await timeSteps(await stepWork(spec, plan, graph, seen, manifest), [...new Set([1, ...besides])])
    : undefined;
  const alone = steps?.get(1) ?? 1;
  return {
    job: {
      spec,
      files: train.shards,
      testFiles: test.shards,
      parameters: plan.parameters,
      graphBytes: graph.length,
      forwardBytes: forward.length,
      seconds: {
        step: stepSeconds ?? alone,
        load,
        plan: planSeconds,
        release: await releaseSeconds(spec, forward, seen, manifest),
      },
    },
    slowdown: (beside) => (steps?.get(beside) ?? alone) / alone,
  };
}

/** To load the model and evaluate it: a part of the rows says how long all take. */
async function releaseSeconds(
  spec: TrainSpec,
  forward: Uint8Array<ArrayBuffer>,
  store: ObjectStore,
  manifest: DatasetManifest,
): Promise<number> {
  const all = manifest.splits[spec.splits.test]!.rows;
  const taken = Math.min(EVALUATED_ROWS, all);
  const rows = await readRows(store, manifest, spec.splits.test, { start: 0, end: taken });
  const { value: session, seconds: load } = await timed(() => nativeRuntime().load(forward));
  try {
    const form = outputForm(decodeModel(forward), spec.loss);
    const { seconds } = await timed(() => evaluate(session, rows, spec, form));
    return load + (seconds * all) / taken;
  } finally {
    await session.release();
  }
}

/** Of a few rows, in batches as large as the job's or as large as there are rows for. */
async function stepWork(
  spec: TrainSpec,
  plan: JobPlan,
  graph: Uint8Array<ArrayBuffer>,
  store: ObjectStore,
  manifest: DatasetManifest,
): Promise<StepWork> {
  const rowsPerStep = spec.batchSize * spec.accumulate;
  const available = manifest.splits[spec.splits.train]!.rows;
  const held = Math.min(available, 4 * rowsPerStep);
  const columns = await readRows(store, manifest, spec.splits.train, { start: 0, end: held });
  const length = plan.parameters.reduce((sum, parameter) => sum + parameter.length, 0);
  return {
    graph,
    parameters: plan.parameters,
    request: {
      ...jobSteps(spec, plan),
      rows: rowsOf(columns),
      parameters: await initialParameters(plan, store),
      state: createOptimizer(spec.optimizer).init(length),
      shard: 0,
      stepsPerEpoch: Math.max(1, Math.floor(held / rowsPerStep)),
      steps: MOST_STEPS,
    },
  };
}

/** What training begins with: with other values it might diverge. */
async function initialParameters(plan: JobPlan, store: ObjectStore): Promise<Float32Array<ArrayBuffer>> {
  if (plan.initialModel !== undefined) return getModel(store, plan, plan.initialModel.sha256);
  return (await getState(store, plan, [], plan.initialState)).parameters;
}
