/** Releases of a model: a dense create-only sequence 1, 2, 3 …; what was released once is never changed. */
import { releaseKey } from '../contracts/keys.ts';
import { parse } from '../contracts/parse.ts';
import { Release } from '../contracts/release.ts';
import { Fault } from '../errors.ts';
import { getJson } from '../storage/json.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { append, headOf } from '../storage/sequence.ts';

/** Objects read at the same time; below the six connections a Workers request may hold open. */
const READS_AT_ONCE = 5;

export function getRelease(store: ObjectStore, model: string, release: number): Promise<Release | undefined> {
  return getJson(store, releaseKey(model, release), Release);
}

/**
 * Appends `make(n)` as release n. A job releases once, however often its release task is delivered: where one of
 * this job is there already, also one that another execution wrote just now, that one's number is returned.
 * @param make pure; it must answer with this model, job and number
 * @returns the release number
 * @throws Fault `internal` naming the field where `make` gives no valid release
 */
export async function publishRelease(
  store: ObjectStore,
  model: string,
  job: string,
  make: (n: number) => Release,
): Promise<number> {
  const head = await headOf(store, (n) => releaseKey(model, n));
  const earlier = await releaseOfJob(store, model, job, head);
  if (earlier !== undefined) return earlier.release;
  // From the head that was searched on: one that another execution writes meanwhile is met, not passed by.
  return append(
    store,
    (n) => releaseKey(model, n),
    (n) => checked({ model, job, n }, make(n)),
    async (n) => isOfJob(await getRelease(store, model, n), job),
    head,
  );
}

function checked(asked: { model: string; job: string; n: number }, release: Release): Release {
  const { model, job, n } = asked;
  if (release.model !== model || release.release !== n || release.lineage.job !== job)
    throw new Fault('internal', `release ${n} of ${model} by ${job} was made as another one`);
  return parse(Release, release, 'internal');
}

/** The release that a job published, looked for from the newest on. @param head the newest, where it is known */
export async function releaseOfJob(
  store: ObjectStore,
  model: string,
  job: string,
  head?: number,
): Promise<Release | undefined> {
  for await (const release of newestFirst(store, model, head)) if (isOfJob(release, job)) return release;
  return undefined;
}

/** Published by the job itself: not its files anew, under other words. */
const isOfJob = (release: Release | undefined, job: string): boolean =>
  release?.lineage.job === job && release.lineage.release === undefined;

/** Newest first, read a few at a time as they are asked for. */
export async function* newestFirst(
  store: ObjectStore,
  model: string,
  from?: number,
): AsyncGenerator<Release> {
  const head = from ?? (await headOf(store, (n) => releaseKey(model, n)));
  for (let top = head; top > 0; top -= READS_AT_ONCE) {
    const numbers = Array.from({ length: Math.min(READS_AT_ONCE, top) }, (_, index) => top - index);
    for (const release of await Promise.all(numbers.map((n) => getRelease(store, model, n))))
      if (release !== undefined) yield release;
  }
}
