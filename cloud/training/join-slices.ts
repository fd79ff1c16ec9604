/** What several mergers agree on before they merge a round, and the whole of what they made. */
import { type JobPlan, MergedSlice, RoundMembers, type RoundShard } from '../../core/contracts/job.ts';
import { mergedSliceKey, roundMembersKey } from '../../core/contracts/keys.ts';
import { createOrRead, getJson } from '../../core/storage/json.ts';
import { announceMerge } from './announce.ts';
import type { Delivery, FleetContext } from './context.ts';
import { type Merged, writtenBytes } from './merged.ts';
import { indexPieces } from './parts.ts';
import type { PresentUpdate } from './updates.ts';

/**
 * Settles which updates the round's mergers merge, and puts together what they made of them.
 * @returns undefined where one of them has still to do its part
 */
export async function joinSlices(
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
  return { ...pieces, read, written: writtenBytes(pieces), usages, members: members.shards };
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
