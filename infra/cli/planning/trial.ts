/**
 * What a job's parts take on this machine: it is accepted and planned by the fleet's own code over a store whose writes
 * nobody sees, then a few of its very steps are taken, and its model is evaluated on a few rows.
 */
import { rowsOf } from '../../../cloud/training/engine/batches.ts';
import { loadProgram } from '../../../cloud/training/engine/program.ts';
import { localSteps, type LocalStepsRequest } from '../../../cloud/training/engine/local-steps.ts';
import { recent, shardCache } from '../../../cloud/training/caches.ts';
import type { FleetContext } from '../../../cloud/training/context.ts';
import { evaluate } from '../../../cloud/training/evaluate.ts';
import { getModel, getState } from '../../../cloud/training/parts.ts';
import { planJob } from '../../../cloud/training/plan.ts';
import { nativeRuntime } from '../../../cloud/adapters/onnxruntime.ts';
import { outputForm } from '../../../core/autodiff/losses/form.ts';
import { JobPlan, type TrainRequest, type TrainSpec } from '../../../core/contracts/job.ts';
import { jobPlanKey } from '../../../core/contracts/keys.ts';
import { readManifest, readRows } from '../../../core/datasets/read.ts';
import { Fault } from '../../../core/errors.ts';
import { acceptJob } from '../../../core/jobs/accept.ts';
import { jobIdFrom } from '../../../core/jobs/id.ts';
import { elementDecay } from '../../../core/jobs/parameters.ts';
import { decodeModel } from '../../../core/onnx/model.ts';
import { createOptimizer } from '../../../core/optimizers/optimizer.ts';
import type { Job } from '../../../core/planning/workload.ts';
import { getBlob } from '../../../core/storage/blobs.ts';
import { getJson } from '../../../core/storage/json.ts';
import type { ObjectStore } from '../../../core/storage/object-store.ts';
import { overlay } from './overlay.ts';

/** Steps are taken until they last so long, the first ones for nothing. */
const LONG_ENOUGH_S = 0.5;
const MOST_STEPS = 256;
/** Rows that the model is evaluated on; more take as much longer. */
const EVALUATED_ROWS = 1_000;

const clock = () => performance.now() / 1000;

async function timed<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly seconds: number }> {
  const began = clock();
  const value = await work();
  return { value, seconds: clock() - began };
}

/**
 * @param stepSeconds of a step, where it is known; default: it is measured
 * @throws Fault as accepting and planning the job does
 */
export async function tryJob(store: ObjectStore, request: TrainRequest, stepSeconds?: number): Promise<Job> {
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
  const { value: program, seconds: load } = await timed(() => loadProgram(graph, plan.parameters));
  try {
    const step = stepSeconds ?? (await measureStep(spec, plan, program, seen, manifest));
    const taken = Math.min(EVALUATED_ROWS, test.rows);
    const rows = await readRows(seen, manifest, spec.splits.test, { start: 0, end: taken });
    const forward = await getBlob(seen, plan.forward);
    const { value: session, seconds: sessionSeconds } = await timed(() => runtime.load(forward));
    try {
      const form = outputForm(decodeModel(forward), spec.loss);
      const { seconds } = await timed(() => evaluate(session, rows, spec, form));
      return {
        spec,
        files: train.shards,
        testFiles: test.shards,
        parameters: plan.parameters,
        graphBytes: graph.length,
        forwardBytes: forward.length,
        seconds: {
          step,
          load,
          plan: planSeconds,
          release: sessionSeconds + (seconds * test.rows) / taken,
        },
      };
    } finally {
      await session.release();
    }
  } finally {
    await program.release();
  }
}

async function measureStep(
  spec: TrainSpec,
  plan: JobPlan,
  program: LocalStepsRequest['program'],
  store: ObjectStore,
  manifest: Awaited<ReturnType<typeof readManifest>>,
): Promise<number> {
  const rowsPerStep = spec.batchSize * spec.accumulate;
  const available = manifest.splits[spec.splits.train]!.rows;
  const held = Math.min(available, 4 * rowsPerStep);
  const columns = await readRows(store, manifest, spec.splits.train, { start: 0, end: held });
  const length = plan.parameters.reduce((sum, parameter) => sum + parameter.length, 0);
  const stepsPerEpoch = Math.max(1, Math.floor(held / rowsPerStep));
  const request = {
    program,
    rows: rowsOf(columns),
    parameters: await initialParameters(plan, store),
    state: createOptimizer(spec.optimizer).init(length),
    optimizer: spec.optimizer,
    schedule: spec.schedule,
    weightDecay: elementDecay(plan.parameters, spec.optimizer.weightDecay),
    clipNorm: spec.clipNorm,
    accumulate: spec.accumulate,
    seed: spec.seed,
    shard: 0,
    from: 0,
    stepsPerEpoch,
    steps: plan.steps + MOST_STEPS,
  };
  await localSteps({ ...request, to: 2 });
  for (let steps = 4; ; steps *= 2) {
    const { seconds } = await timed(() => localSteps({ ...request, to: steps }));
    if (seconds >= LONG_ENOUGH_S || steps >= MOST_STEPS)
      return (seconds / steps) * Math.min(1, (rowsPerStep * stepsPerEpoch) / held);
  }
}

/** What training begins with: with other values it might diverge. */
async function initialParameters(plan: JobPlan, store: ObjectStore): Promise<Float32Array<ArrayBuffer>> {
  if (plan.initialModel !== undefined) return getModel(store, plan, plan.initialModel.sha256);
  return (await getState(store, plan, [], plan.initialState)).parameters;
}
