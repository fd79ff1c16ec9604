/** Task `merge` with a slice: one of several mergers merges the slice that it owns. */
import { type AcceptedJob, type JobPlan, type MergedSlice, RoundMembers } from '../../core/contracts/job.ts';
import { mergedSliceKey, roundMembersKey } from '../../core/contracts/keys.ts';
import { Fault } from '../../core/errors.ts';
import { elementDecay } from '../../core/jobs/parameters.ts';
import { stepsOfRound } from '../../core/jobs/schedule.ts';
import type { TrainingState } from '../../core/jobs/state.ts';
import { getJson, putJson } from '../../core/storage/json.ts';
import type { Strategy } from '../../core/strategies/strategy.ts';
import { strategyOf } from '../../core/strategies/table.ts';
import type { Delivery, FleetContext } from './context.ts';
import { acceptedJob, baseOfRound, hasEnded, plannedJob, roundCommit, startOfRound } from './documents.ts';
import { NO_STATE } from './merged.ts';
import { usageOf } from './metering.ts';
import { getIndex, getStateSlice, putPieces } from './parts.ts';
import { presentUpdate, readUpdate } from './updates.ts';

export interface SliceTask {
  readonly job: string;
  readonly round: number;
  readonly slice: number;
}

/** Of the updates that the round's members name. The last one has the round committed. */
export async function mergeSlice(
  context: FleetContext,
  { job, round, slice }: SliceTask,
  delivery: Delivery,
): Promise<void> {
  const { store, queue } = context;
  const key = mergedSliceKey(job, round, slice);
  const [ended, commit, done, accepted, plan] = await Promise.all([
    hasEnded(context, job),
    roundCommit(context, job, round),
    store.head(key),
    acceptedJob(context, job),
    plannedJob(context, job),
  ]);
  if (ended || commit !== undefined) return;
  if (done === undefined) {
    const merged = await makeSlice(context, accepted, plan, { job, round, slice });
    const outcome = await putJson(store, key, merged, 'create');
    if (outcome.kind === 'refused' && !delivery.redelivered) return;
  } else if (!delivery.redelivered) return;
  const all = await Promise.all(
    plan.slices!.map((_, other) => store.head(mergedSliceKey(job, round, other))),
  );
  // The members say who is in, a quorum or all.
  if (all.every((each) => each !== undefined))
    await queue.send([{ v: 1, kind: 'merge', job, round, partial: true }]);
}

async function makeSlice(
  context: FleetContext,
  { spec }: AcceptedJob,
  plan: JobPlan,
  { job, round, slice }: SliceTask,
): Promise<MergedSlice> {
  const { store } = context;
  const strategy = strategyOf(spec);
  const range = plan.slices?.[slice];
  const members = await getJson(store, roundMembersKey(job, round), RoundMembers);
  if (range === undefined || members === undefined)
    throw new Fault('unprocessable', `round ${round} of ${job} has no slice ${slice} to merge`);
  const { sha256: base } = await startOfRound(context, plan, round);
  const present = await Promise.all(
    members.shards.map(async ({ shard }) => {
      const update = await presentUpdate(context, job, round, shard, base);
      if (update === undefined) throw new Fault('unavailable', `update ${shard} of round ${round} is gone`);
      return update;
    }),
  );
  const [before, updates] = await Promise.all([
    stateBefore(context, plan, strategy, round, slice),
    Promise.all(present.map((update) => readUpdate(store, plan, strategy, update, slice))),
  ]);
  const merged = strategy.merge({
    state: before.state,
    updates,
    trained: range.trained,
    step: stepsOfRound(plan, round).start,
    steps: plan.steps,
    weightDecay: elementDecay(plan.parameters, spec.optimizer.weightDecay)?.subarray(range.start, range.end),
  });
  const pieces = await putPieces(store, plan, strategy, merged, range);
  const read = present.reduce((sum, { fileBytes, parts }) => sum + fileBytes + parts![slice]!.bytes, 0);
  const usage = usageOf(context);
  return {
    v: 1,
    job,
    round,
    slice,
    ...pieces,
    read: read + before.bytes,
    ...(usage === undefined ? {} : { usage }),
  };
}

async function stateBefore(
  context: FleetContext,
  plan: JobPlan,
  { sends, slots }: Strategy,
  round: number,
  slice: number,
): Promise<{ readonly state: TrainingState; readonly bytes: number }> {
  if (sends === 'state') return { state: NO_STATE, bytes: 0 };
  const parts = await getIndex(context.store, await baseOfRound(context, plan, round));
  const part = parts[slice]!;
  const state = await getStateSlice(context.store, slots, part, plan.slices![slice]!);
  return { state, bytes: part.bytes };
}
