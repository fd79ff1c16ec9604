/**
 * Task `shard`: train one shard for one round and write its update, create-only. The work is a pure function of
 * (base state, rows, seed, round, shard), so any number of executions write the same bytes and the first one counts.
 */
import type { AcceptedJob, JobPlan, ShardReport } from '../../core/contracts/job.ts';
import { roundCommitKey, shardUpdateKey } from '../../core/contracts/keys.ts';
import type { Columns } from '../../core/datasets/columns.ts';
import { readManifest, readRows } from '../../core/datasets/read.ts';
import { elementDecay } from '../../core/jobs/parameters.ts';
import { stepsOfRound } from '../../core/jobs/schedule.ts';
import { encodeState } from '../../core/jobs/state.ts';
import { getBlob } from '../../core/storage/blobs.ts';
import type { TensorValue } from '../../core/tensors/tensor.ts';
import type { Delivery, FleetContext } from './context.ts';
import { acceptedJob, baseOfRound, hasEnded, plannedJob, readState } from './documents.ts';
import { localSteps } from './engine/local-steps.ts';
import { loadProgram, type TrainingProgram } from './engine/program.ts';

export interface ShardTask {
  readonly job: string;
  readonly round: number;
  readonly shard: number;
}

export async function runShard(context: FleetContext, task: ShardTask, delivery: Delivery): Promise<void> {
  const { store } = context;
  const { job, round, shard } = task;
  const key = shardUpdateKey(job, round, shard);
  const [ended, committed, update, accepted, plan] = await Promise.all([
    hasEnded(context, job),
    store.head(roundCommitKey(job, round)),
    store.head(key),
    acceptedJob(context, job),
    plannedJob(context, job),
  ]);
  // A closed round takes no late update, and an ended job no work.
  if (ended || committed !== undefined) return;
  if (update === undefined) {
    const bytes = await train(context, accepted, plan, task);
    const outcome = await store.put(key, bytes, { condition: 'create' });
    // Refused: a second copy of this task was quicker. That one looks whether the round is complete.
    if (outcome.kind === 'refused' && !delivery.redelivered) return;
  } else if (!delivery.redelivered) return;
  await announceMergeIfComplete(context, plan, round);
}

async function train(
  context: FleetContext,
  accepted: AcceptedJob,
  plan: JobPlan,
  { round, shard }: ShardTask,
): Promise<Uint8Array<ArrayBuffer>> {
  const { spec } = accepted;
  const range = plan.shards[shard];
  if (range === undefined) throw new RangeError(`job ${plan.job} has no shard ${shard}`);
  const base = await baseOfRound(context, plan, round);
  const [state, program, rows] = await Promise.all([
    readState(context, accepted, plan, base),
    programOf(context, plan),
    readManifest(context.store, plan.dataset.name, plan.dataset.version).then((manifest) =>
      readRows(context.store, manifest, spec.splits.train, range, context.caches.rows),
    ),
  ]);
  const { start: from, end: to } = stepsOfRound(plan, round);
  const result = await localSteps({
    program,
    rows: batchTensors(rows),
    parameters: state.parameters,
    state: state.slots,
    optimizer: spec.optimizer,
    schedule: spec.schedule,
    weightDecay: elementDecay(plan.parameters, spec.optimizer.weightDecay),
    clipNorm: spec.clipNorm,
    accumulate: spec.accumulate,
    seed: spec.seed,
    shard,
    from,
    to,
    stepsPerEpoch: plan.stepsPerEpoch,
    steps: plan.steps,
  });
  const report: ShardReport = {
    shard,
    samples: result.samples,
    count: result.count,
    loss: result.loss,
    metrics: result.metrics,
  };
  const trained = { parameters: result.parameters, slots: result.state };
  return encodeState(trained, plan.parameters, { base, report: JSON.stringify(report) });
}

function batchTensors({ rows, tensors }: Columns): Record<string, TensorValue> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { spec, data }]) => {
      return [name, { dtype: spec.dtype, shape: [rows, ...spec.shape], data }];
    }),
  );
}

function programOf({ store, caches }: FleetContext, plan: JobPlan): Promise<TrainingProgram> {
  const known = caches.programs.get(plan.trainingGraph);
  if (known !== undefined) return known;
  const loading = getBlob(store, plan.trainingGraph).then((graph) => loadProgram(graph, plan.parameters));
  caches.programs.set(plan.trainingGraph, loading);
  return loading;
}

/** Of the shards that finish together two may both see the round complete: two merges are harmless. */
async function announceMergeIfComplete(
  { store, queue }: FleetContext,
  plan: JobPlan,
  round: number,
): Promise<void> {
  const { job } = plan;
  const updates = await Promise.all(
    plan.shards.map((_, shard) => store.head(shardUpdateKey(job, round, shard))),
  );
  if (updates.every((update) => update !== undefined))
    await queue.send([{ v: 1, kind: 'merge', job, round }]);
}
