/** The work of a merge: of the whole vector in one task, or of the slice that one of several mergers owns. */
import {
  type AcceptedJob,
  type JobPlan,
  MergedSlice,
  RoundMembers,
  type RoundShard,
} from '../../core/contracts/job.ts';
import { mergedSliceKey, roundMembersKey } from '../../core/contracts/keys.ts';
import { Fault } from '../../core/errors.ts';
import { elementDecay } from '../../core/jobs/parameters.ts';
import { stepsOfRound } from '../../core/jobs/schedule.ts';
import type { TrainingState } from '../../core/jobs/state.ts';
import type { Task } from '../../core/contracts/task.ts';
import type { Usage } from '../../core/contracts/usage.ts';
import { createOrRead, getJson, putJson } from '../../core/storage/json.ts';
import { trainedLength } from '../../core/strategies/slices.ts';
import type { Strategy } from '../../core/strategies/strategy.ts';
import { strategyOf } from '../../core/strategies/table.ts';
import type { Delivery, FleetContext } from './context.ts';
import {
  acceptedJob,
  baseOfRound,
  hasEnded,
  plannedJob,
  readState,
  roundCommit,
  startOfRound,
} from './documents.ts';
import { usageOf } from './metering.ts';
import { getIndex, getStateSlice, indexPieces, type Pieces, putPieces } from './parts.ts';
import { type PresentUpdate, presentUpdate, readUpdate } from './updates.ts';

/** What a merge made, and the bytes it had to read and write for it. */
export interface Merged extends Pieces {
  readonly read: number;
  readonly written: number;
  /** What other tasks took for it. */
  readonly usages: readonly (Usage | undefined)[];
}

const NO_STATE: TrainingState = { parameters: new Float32Array(0), slots: {} };

export async function mergeWhole(
  context: FleetContext,
  accepted: AcceptedJob,
  plan: JobPlan,
  round: number,
  present: readonly PresentUpdate[],
): Promise<Merged> {
  const { store, caches } = context;
  const strategy = strategyOf(accepted.spec);
  const needsState = strategy.sends !== 'state';
  const [state, updates] = await Promise.all([
    needsState ? readState(context, accepted, plan, await baseOfRound(context, plan, round)) : NO_STATE,
    Promise.all(present.map((update) => readUpdate(store, plan, strategy, update))),
  ]);
  const merged = strategy.merge({
    state,
    updates,
    trained: trainedLength(plan.parameters),
    step: stepsOfRound(plan, round).start,
    steps: plan.steps,
    weightDecay: elementDecay(plan.parameters, accepted.spec.optimizer.weightDecay),
  });
  const pieces = await putPieces(store, plan, strategy, merged);
  caches.states.set(pieces.state.sha256, merged);
  const read = present.reduce((sum, { bytes }) => sum + bytes, 0);
  // The state before is as long as the state after: the same tensors under the same names.
  return {
    ...pieces,
    read: read + (needsState ? pieces.state.bytes : 0),
    written: written(pieces),
    usages: [],
  };
}

const written = ({ state, model }: Pieces) => state.bytes + (model?.bytes ?? 0);

export interface SliceTask {
  readonly job: string;
  readonly round: number;
  readonly slice: number;
}

/** Task `merge` with a slice: merges that, of the updates that the round's members name. The last one has it committed. */
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

/**
 * Settles which updates the round's mergers merge, and puts together what they made of them.
 * @returns undefined where one of them has still to do its part
 */
export async function mergeSlices(
  context: FleetContext,
  plan: JobPlan,
  round: number,
  present: readonly PresentUpdate[],
  delivery: Delivery,
): Promise<(Merged & { readonly members: readonly RoundShard[] }) | undefined> {
  const { store } = context;
  const { job, slices = [] } = plan;
  const { members, isNew } = await settleMembers(store, job, round, present);
  const done = await Promise.all(
    slices.map((_, slice) => getJson(store, mergedSliceKey(job, round, slice), MergedSlice)),
  );
  const merged = done.filter((each) => each !== undefined);
  if (merged.length < done.length) {
    // Who settled it announces the mergers; were every merge to do it, messages would multiply.
    if (isNew || delivery.redelivered) await announceMerge(context, plan, round);
    return undefined;
  }
  const pieces = await indexPieces(store, merged);
  const usages = merged.map(({ usage }) => usage);
  const names = present.reduce((sum, { fileBytes }) => sum + fileBytes, 0);
  const read = merged.reduce((sum, each) => sum + each.read, names);
  return { ...pieces, read, written: written(pieces), usages, members: members.shards };
}

/** Queues whatever it is that a complete round waits for: its merge, or those of the slices that are not merged yet. */
export async function announceMerge(
  { store, queue }: FleetContext,
  { job, slices = [] }: JobPlan,
  round: number,
  { partial }: Pick<Extract<Task, { kind: 'merge' }>, 'partial'> = {},
  delaySeconds = 0,
): Promise<void> {
  const merge = { v: 1, kind: 'merge', job, round } as const;
  const isSettled = slices.length > 0 && (await store.head(roundMembersKey(job, round))) !== undefined;
  const done = await Promise.all(
    isSettled ? slices.map((_, slice) => store.head(mergedSliceKey(job, round, slice))) : [],
  );
  const missing = done.flatMap((each, slice) => (each === undefined ? [{ ...merge, slice }] : []));
  const tasks = missing.length > 0 ? missing : [{ ...merge, ...(partial ? { partial } : {}) }];
  await queue.send(tasks, { delaySeconds });
}

/** Mergers must not differ in what they merge, so the first to see the round complete says it for all. */
async function settleMembers(
  store: FleetContext['store'],
  job: string,
  round: number,
  present: readonly PresentUpdate[],
): Promise<{ readonly members: RoundMembers; readonly isNew: boolean }> {
  const members: RoundMembers = { v: 1, job, round, shards: present.map(memberOf) };
  const { value, isNew } = await createOrRead(store, roundMembersKey(job, round), members, RoundMembers);
  return { members: value, isNew };
}

/** What a commit says of an update. */
export function memberOf({ tensors: _, parts: __, fileBytes: ___, ...member }: PresentUpdate): RoundShard {
  return member;
}
