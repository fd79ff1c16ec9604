/**
 * Other words about a model's requests (routing defaults, a cascade) without training it again. Releases are never
 * changed: it is a new one of the same files, and a channel points to it.
 */
import { releaseKey } from '../contracts/keys.ts';
import { parse } from '../contracts/parse.ts';
import { Release } from '../contracts/release.ts';
import { Fault } from '../errors.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { append } from '../storage/sequence.ts';
import { currentChannel, moveChannel } from './channels.ts';
import { checkReleasedCascade, checkRouting } from './fitting.ts';
import { getRelease } from './releases.ts';

export interface Rerelease {
  readonly model: string;
  readonly channel: string;
  /** Whose files; left out: what the channel points to. */
  readonly from?: number | undefined;
  /** null: none any more; left out: as they are. */
  readonly routing?: Release['routing'] | null;
  readonly cascade?: Release['cascade'] | null;
}

/**
 * Where the release says that already no other one is written, so that asking twice is asking once.
 * @returns the number of the release that the channel points to now
 * @throws Fault `not_found` where there is no such model, `unprocessable` naming the field: there is no such release,
 *   or what it is to say cannot be done (fitting.ts)
 */
export async function rerelease(store: ObjectStore, asked: Rerelease, now: Date): Promise<number> {
  const { model, channel } = asked;
  const before = await releaseBefore(store, asked);
  // null speaks, and says that there is none.
  const routing = asked.routing === undefined ? before.routing : (asked.routing ?? undefined);
  const cascade = asked.cascade === undefined ? before.cascade : (asked.cascade ?? undefined);
  if (asked.routing) checkRouting(asked.routing, before);
  if (asked.cascade) await checkReleasedCascade(store, asked.cascade, before);
  const { routing: _routing, cascade: _cascade, ...files } = before;
  const says = {
    ...(routing === undefined ? {} : { routing }),
    ...(cascade === undefined ? {} : { cascade }),
  };
  let { release } = before;
  if (!isSame(says, before))
    release = await append(
      store,
      (n) => releaseKey(model, n),
      (n): Release =>
        parse(Release, {
          ...files,
          ...says,
          release: n,
          lineage: { ...files.lineage, release: before.release },
          createdAt: now.toISOString(),
        }),
    );
  await moveChannel(store, model, channel, release, now);
  return release;
}

async function releaseBefore(store: ObjectStore, { model, channel, from }: Rerelease): Promise<Release> {
  const number = from ?? (await currentChannel(store, model, channel))?.release;
  if (number === undefined || from !== undefined) await checkModel(store, model);
  if (number === undefined) {
    const message = `channel: ${model} has no channel ${channel}; from must name a release`;
    throw new Fault('unprocessable', message, { field: 'channel' });
  }
  const release = await getRelease(store, model, number);
  if (release === undefined)
    throw new Fault('unprocessable', `from: ${model} has no release ${number}`, { field: 'from' });
  return release;
}

async function checkModel(store: ObjectStore, model: string): Promise<void> {
  if ((await getRelease(store, model, 1)) === undefined)
    throw new Fault('not_found', `no model ${model}`, { field: 'model' });
}

type Said = Pick<Release, 'routing' | 'cascade'>;

/** Both were parsed by the same schema, which gives the members their order. */
const isSame = (one: Said, other: Said): boolean =>
  JSON.stringify([one.routing, one.cascade]) === JSON.stringify([other.routing, other.cascade]);
