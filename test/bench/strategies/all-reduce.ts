/**
 * Per-step averaging, without writing 2,350 rounds: the shards' batches and gradients, the strategy's own merge, and nothing
 * in between. The job's first rounds also go through the handlers: they must leave the same state to the bit, and the bytes
 * of one of them, which are the same in each, are those of all.
 */
import { nativeRuntime } from '../../../cloud/adapters/onnxruntime.ts';
import { evaluate } from '../../../cloud/training/evaluate.ts';
import { batchGatherer, batchOrder, rowsOf } from '../../../cloud/training/engine/batches.ts';
import { loadProgram } from '../../../cloud/training/engine/program.ts';
import { getState } from '../../../cloud/training/parts.ts';
import { outputForm } from '../../../core/autodiff/losses/form.ts';
import { parameterValues } from '../../../core/autodiff/training-graph.ts';
import { AcceptedJob, JobPlan, RoundCommit, type TrainRequest } from '../../../core/contracts/job.ts';
import { jobPlanKey, jobSpecKey, roundCommitKey } from '../../../core/contracts/keys.ts';
import { readManifest, readRows } from '../../../core/datasets/read.ts';
import { elementDecay } from '../../../core/jobs/parameters.ts';
import type { TrainingState } from '../../../core/jobs/state.ts';
import { withInitializers } from '../../../core/onnx/initializers.ts';
import { decodeModel, encodeModel } from '../../../core/onnx/model.ts';
import { getBlob } from '../../../core/storage/blobs.ts';
import { getJson } from '../../../core/storage/json.ts';
import { sumTraffic } from '../../../core/strategies/traffic.ts';
import { trainedLength } from '../../../core/strategies/slices.ts';
import type { Update } from '../../../core/strategies/strategy.ts';
import { strategyOf } from '../../../core/strategies/table.ts';
import { runInProcess } from '../../in-process-fleet.ts';
import type { MemoryStore } from '../../unit/memory-store.ts';
import type { Outcome } from './job.ts';

/** That the handlers do too. The first one is cheaper: nothing was kept before it. */
const CHECKED_ROUNDS = 12;

class Enough extends Error {}

/** @param request with strategy `all-reduce` */
export async function allReduce(store: MemoryStore, request: TrainRequest, job: string): Promise<Outcome> {
  const checked = await firstRounds(store, request, job);
  const { accepted, plan } = checked;
  const { spec } = accepted;
  const strategy = strategyOf(spec);
  const manifest = await readManifest(store, plan.dataset.name, plan.dataset.version);
  const program = await loadProgram(await getBlob(store, plan.trainingGraph), plan.parameters);
  const shards = await Promise.all(
    plan.shards.map(async (range, shard) => {
      const rows = await readRows(store, manifest, spec.splits.train, range);
      const { seed } = spec;
      const orderOf = batchOrder({ rows: rows.rows, stepsPerEpoch: plan.stepsPerEpoch, seed, shard });
      const gather = batchGatherer(rowsOf(rows), Math.ceil(rows.rows / plan.stepsPerEpoch));
      return async (step: number, parameters: Float32Array<ArrayBuffer>): Promise<Update> => {
        const gradient = new Float32Array(program.length);
        const { samples, count } = await program.gradients(parameters, gather(orderOf(step)), gradient);
        return { shard, samples, count, vectors: { gradient } };
      };
    }),
  );
  const weightDecay = elementDecay(plan.parameters, spec.optimizer.weightDecay);
  let state: TrainingState = await getState(store, plan, strategy.slots, plan.initialState);
  for (let step = 0; step < plan.steps; step++) {
    const updates: Update[] = [];
    for (const gradientOf of shards) updates.push(await gradientOf(step, state.parameters));
    state = strategy.merge({
      state,
      updates,
      trained: trainedLength(plan.parameters),
      step,
      steps: plan.steps,
      weightDecay,
    });
    if (step === CHECKED_ROUNDS - 1) {
      const bits = ({ parameters, slots }: TrainingState) =>
        Buffer.concat([parameters, ...Object.values(slots)].map((each) => Buffer.from(each.buffer)));
      if (!bits(state).equals(bits(checked.state)))
        throw new Error(`after ${CHECKED_ROUNDS} rounds the handlers have another state`);
    }
  }
  await program.release();

  const forward = decodeModel(await getBlob(store, plan.forward));
  const values = parameterValues(plan.parameters, state.parameters);
  const session = await nativeRuntime().load(encodeModel(withInitializers(forward, values)));
  const { test } = spec.splits;
  const rows = await readRows(store, manifest, test, { start: 0, end: manifest.splits[test]!.rows });
  const metrics = await evaluate(session, rows, spec, outputForm(forward, spec.loss));
  await session.release();
  const each = (bytes: number) => (bytes / CHECKED_ROUNDS) * plan.rounds;
  const { up, down, mergeRead, mergeWritten } = checked.bytes;
  return {
    accuracy: metrics['accuracy'] ?? 0,
    rounds: plan.rounds,
    bytes: {
      up: each(up),
      down: each(down),
      mergeRead: each(mergeRead),
      mergeWritten: each(mergeWritten),
    },
  };
}

/** What the handlers make of them. */
async function firstRounds(store: MemoryStore, request: TrainRequest, job: string) {
  await runInProcess(store, request, {
    job,
    onTask(task) {
      if (task.kind === 'shard' && task.round === CHECKED_ROUNDS) throw new Enough();
    },
  }).catch((thrown: unknown) => {
    if (!(thrown instanceof Enough)) throw thrown;
  });
  const [accepted, plan, ...commits] = await Promise.all([
    getJson(store, jobSpecKey(job), AcceptedJob),
    getJson(store, jobPlanKey(job), JobPlan),
    ...Array.from({ length: CHECKED_ROUNDS }, (_, round) =>
      getJson(store, roundCommitKey(job, round), RoundCommit),
    ),
  ]);
  const last = commits.at(-1);
  if (accepted === undefined || plan === undefined || last === undefined)
    throw new Error('the handlers did not get that far');
  const bytes = sumTraffic(commits.map((commit) => commit?.bytes));
  if (bytes === null) throw new Error('a round was not counted');
  const state = await getState(store, plan, strategyOf(accepted.spec).slots, last.state);
  return { accepted, plan, state, bytes };
}
