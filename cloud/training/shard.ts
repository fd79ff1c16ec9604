/**
 * Task `shard`: train one shard for one round and write its update, create-only. The work is a pure function of
 * (what the round starts from, rows, seed, round, shard), so any number of executions write the same bytes and the first one counts.
 */
import type { AcceptedJob, JobPlan, ShardReport } from '../../core/contracts/job.ts';
import { roundCommitKey, shardPartKey, shardUpdateKey } from '../../core/contracts/keys.ts';
import { readRows } from '../../core/datasets/read.ts';
import { Fault } from '../../core/errors.ts';
import { stepsOfRound } from '../../core/jobs/schedule.ts';
import { encodeState, type TrainingState } from '../../core/jobs/state.ts';
import { createOptimizer } from '../../core/optimizers/optimizer.ts';
import { meterMetadata } from '../../core/jobs/meter.ts';
import { getBlob } from '../../core/storage/blobs.ts';
import type { Strategy } from '../../core/strategies/strategy.ts';
import { strategyOf } from '../../core/strategies/table.ts';
import { loadOnce } from './caches.ts';
import { announceNextIfStill, closeIfSettled } from './close.ts';
import type { Delivery, FleetContext } from './context.ts';
import {
  acceptedJob,
  hasEnded,
  plannedDataset,
  plannedJob,
  readStart,
  readState,
  type Start,
  startOfRound,
} from './documents.ts';
import { stopIfDue } from './ending.ts';
import { rowsOf } from './engine/batches.ts';
import { localSteps, type LocalStepsResult, stepGradient } from './engine/local-steps.ts';
import { loadProgram, type TrainingProgram } from './engine/program.ts';
import { jobSteps } from './job-steps.ts';
import { meterSince, mustHandOn, readPart, type ShardPart } from './checkpoint.ts';
import { lastPart, shardTask } from './round.ts';
import { prepareUpdate, type Sending } from './updates.ts';

export interface ShardTask {
  readonly job: string;
  readonly round: number;
  readonly shard: number;
  readonly part?: number | undefined;
  readonly copy?: number | undefined;
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
  if (ended || (await stopIfDue(context, job))) return;
  if (committed !== undefined) {
    if (delivery.redelivered) await announceNextIfStill(context, accepted, plan, round);
    return;
  }
  if (update === undefined) {
    const part = delivery.redelivered ? await lastPart(context, job, round, shard) : (task.part ?? 0);
    const from = part === 0 ? undefined : await readPart(context, accepted, plan, task, part);
    const trained = await train(context, accepted, plan, task, from, mustHandOn(delivery));
    const metadata = meterMetadata(meterSince(context, from, delivery, task.copy));
    if (!trained.finished) {
      const partKey = shardPartKey(job, round, shard, part + 1);
      const outcome = await store.put(partKey, trained.bytes, { condition: 'create', metadata });
      // Refused: a second copy of this task wrote its checkpoint first, and sends the one that goes on.
      if (outcome.kind === 'written' || delivery.redelivered)
        await context.queue.send([shardTask(job, round, shard, part + 1, task.copy)]);
      return;
    }
    const { bytes: body } = trained;
    const outcome = await store.put(key, body, { condition: 'create', metadata });
    // Refused: a second copy of this task was quicker. That one looks whether the round is complete.
    if (outcome.kind === 'refused' && !delivery.redelivered) return;
    if (outcome.kind === 'written') context.caches.updates?.set(key, { body, metadata }, body.length);
  } else if (!delivery.redelivered) return;
  await closeIfSettled(context, accepted, plan, round, delivery);
}

async function train(
  context: FleetContext,
  accepted: AcceptedJob,
  plan: JobPlan,
  { round, shard }: ShardTask,
  from: ShardPart | undefined,
  pause: (step: number) => boolean,
): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly finished: boolean }> {
  const { spec } = accepted;
  const range = plan.shards[shard];
  if (range === undefined) throw new Fault('unprocessable', `job ${plan.job} has no shard ${shard}`);
  const strategy = strategyOf(spec);
  const start = await startOfRound(context, plan, round);
  const [before, program, rows] = await Promise.all([
    from !== undefined && strategy.sends === 'state'
      ? from.state
      : startingState(context, accepted, plan, strategy, start),
    programOf(context, plan),
    plannedDataset(context, plan).then((manifest) =>
      readRows(context.store, manifest, spec.splits.train, range, context.caches.rows),
    ),
  ]);
  const { start: first, end: to } = stepsOfRound(plan, round);
  const state = from?.state ?? before;
  const request = {
    ...jobSteps(spec, plan),
    program,
    rows: rowsOf(rows),
    parameters: state.parameters,
    state: state.slots,
    shard,
    from: from?.step ?? first,
    to,
    optimizerFrom: strategy.sends === 'change' ? first : 0,
    tally: from?.tally,
    pause,
  };
  const finish = async (sending: Sending) => ({
    bytes: await prepareUpdate(context.store, plan, strategy, start, sending),
    finished: true,
  });
  if (strategy.sends === 'gradient') {
    const { gradient, ...measured } = await stepGradient(request);
    return finish({ report: reportOf(shard, measured), vectors: { gradient } });
  }
  const result = await localSteps(request);
  const { parameters, state: slots } = result;
  if (result.next < to) {
    const { next: step, tally } = result;
    const metadata = { base: start.sha256, progress: JSON.stringify({ step, tally }) };
    return { bytes: encodeState({ parameters, slots }, plan.parameters, metadata), finished: false };
  }
  const vectors =
    strategy.sends === 'state'
      ? { parameters, ...slots }
      : { change: changeOf(before.parameters, parameters, program.trained) };
  return finish({ report: reportOf(shard, result), vectors });
}

/** Where the optimizer's state does not travel, each round begins with zeros. */
async function startingState(
  context: FleetContext,
  accepted: AcceptedJob,
  plan: JobPlan,
  { sends }: Strategy,
  start: Start,
): Promise<TrainingState> {
  if (sends === 'state') return readState(context, accepted, plan, start.sha256);
  const parameters = await readStart(context, accepted, plan, start);
  return { parameters, slots: createOptimizer(accepted.spec.optimizer).init(parameters.length) };
}

function reportOf(
  shard: number,
  { samples, count, loss, metrics }: Pick<LocalStepsResult, 'samples' | 'count' | 'loss' | 'metrics'>,
): ShardReport {
  return { shard, samples, count, loss, metrics };
}

/** What is assigned stays as it came out. */
function changeOf(before: Float32Array, after: Float32Array<ArrayBuffer>, trained: number) {
  const change = after.slice();
  for (let i = 0; i < trained; i++) change[i] = before[i]! - after[i]!;
  return change;
}

const programOf = ({ store, caches }: FleetContext, plan: JobPlan): Promise<TrainingProgram> =>
  loadOnce(caches.programs, plan.trainingGraph, async () =>
    loadProgram(await getBlob(store, plan.trainingGraph), plan.parameters),
  );
