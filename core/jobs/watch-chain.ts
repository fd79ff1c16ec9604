/**
 * Whoever looks after a job is a chain of delayed messages: each sends the next before it is acknowledged. Delivered
 * twice, or sent again by who resumes the job, it would become two chains, and these four. So looks are numbered, and each
 * is written, create-only, before it is done: of the messages of a number the one that wrote it goes on to the next, and so
 * does one that was delivered before, as whoever wrote may have died before it sent. All others end there.
 */
import { putJson } from '../storage/json.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { headOf, type KeyOf } from '../storage/sequence.ts';

/** @returns whether this message is to be followed by the next look */
export async function claimLook(
  store: ObjectStore,
  keyOf: KeyOf,
  number: number,
  redelivered: boolean,
): Promise<boolean> {
  const outcome = await putJson(store, keyOf(number), { v: 1, number }, 'create');
  return outcome.kind === 'written' || redelivered;
}

/** The number that a chain which lives has in the queue, and one that died would have to go on with. */
export const nextLook = async (store: ObjectStore, keyOf: KeyOf): Promise<number> =>
  (await headOf(store, keyOf)) + 1;
