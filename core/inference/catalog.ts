/**
 * Which release answers a request. A version is a release number and never changes; without one the release of the
 * stable channel answers, looked up so often that a new release serves within 5 s and no request fails for it.
 */
import { boundedMap } from '../bounded-map.ts';
import type { Release } from '../contracts/release.ts';
import { Name } from '../contracts/primitives.ts';
import { Fault } from '../errors.ts';
import { type ChannelState, currentChannel } from '../registry/channels.ts';
import { getRelease } from '../registry/releases.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { type Defer, singleFlight } from './background.ts';
import {
  type InferenceConfig,
  LOOK_BACKOFF_MS,
  NEGATIVE_MS,
  REMEMBERED,
  SERVED_CHANNEL,
  SHARED_WORK_MS,
} from './config.ts';

export interface Choice {
  readonly release: Release;
  /** True where the request had to wait for a new release to be loaded. */
  readonly cold: boolean;
}

export interface Catalog {
  /**
   * @param version as in the path; undefined: what the stable channel points to
   * @throws Fault `not_found` for an unknown model or version, or where there is no release yet
   */
  resolve(model: string, version: string | undefined, defer: Defer): Promise<Choice>;
}

interface Current {
  readonly channel: ChannelState;
  readonly release: Release;
  /** When the last good look began, and until when not to look again after a failed one. Milliseconds. */
  readonly lookedAt: number;
  readonly quietUntil: number;
}

export function createCatalog(options: {
  readonly store: ObjectStore;
  /** Milliseconds. */
  readonly clock: () => number;
  readonly freshness: InferenceConfig['freshness'];
  /** Loads a release's session before requests are switched to it. */
  readonly prepare: (release: Release) => Promise<void>;
  /** Told of what failed in the background. */
  readonly report: (thrown: unknown) => void;
}): Catalog {
  const { store, clock, freshness, prepare, report } = options;
  const currents = new Map<string, Current>();
  const versions = boundedMap<Release>(REMEMBERED);
  const absent = boundedMap<{ readonly at: number; readonly fault: Fault }>(REMEMBERED);
  const looks = singleFlight<boolean>(clock, SHARED_WORK_MS);
  const reads = singleFlight<Release>(clock, SHARED_WORK_MS);

  /** Throws again what was found absent a moment ago. */
  function refuseAbsent(key: string): void {
    const known = absent.get(key);
    if (known !== undefined && clock() - known.at < NEGATIVE_MS) throw known.fault;
  }

  function rememberAbsent(key: string, thrown: unknown): void {
    if (thrown instanceof Fault && thrown.code === 'not_found')
      absent.set(key, { at: clock(), fault: thrown });
  }

  async function noChannel(model: string): Promise<Fault> {
    const released = (await getRelease(store, model, 1)) !== undefined;
    const message = released
      ? `model ${model} has no release in channel ${SERVED_CHANNEL} yet`
      : `no model ${model}`;
    return new Fault('not_found', message, { field: 'model' });
  }

  /** Nothing where a look that began later was quicker: this one was taken for dead, and what it saw is old. */
  function putInForce(model: string, seen: Omit<Current, 'quietUntil'>): void {
    const current = currents.get(model);
    if (current === undefined || current.lookedAt <= seen.lookedAt)
      currents.set(model, { ...seen, quietUntil: 0 });
  }

  /** @returns whether a new release was loaded and put into force */
  async function look(model: string): Promise<boolean> {
    const lookedAt = clock();
    const current = currents.get(model);
    const channel = await currentChannel(store, model, SERVED_CHANNEL, current?.channel);
    if (channel === undefined) throw await noChannel(model);
    if (channel.release === current?.release.release) {
      putInForce(model, { release: current.release, channel, lookedAt });
      return false;
    }
    const release = await read(model, channel.release);
    if (release === undefined)
      throw new Fault(
        'internal',
        `release ${channel.release} of ${model} is in a channel but not in the store`,
      );
    if (current !== undefined) await prepare(release);
    putInForce(model, { channel, release, lookedAt });
    return current !== undefined;
  }

  /** A look that keeps the known release where it fails. */
  async function refresh(model: string): Promise<boolean> {
    try {
      return await look(model);
    } catch (thrown) {
      const current = currents.get(model);
      if (current === undefined) throw thrown;
      currents.set(model, { ...current, quietUntil: clock() + LOOK_BACKOFF_MS });
      report(thrown);
      return false;
    }
  }

  async function read(model: string, number: number): Promise<Release | undefined> {
    const key = `${model}/${number}`;
    const known = versions.get(key);
    if (known !== undefined) return known;
    const release = await getRelease(store, model, number);
    if (release !== undefined) versions.set(key, release);
    return release;
  }

  async function first(model: string, defer: Defer): Promise<Choice> {
    refuseAbsent(model);
    try {
      await looks.run(model, () => refresh(model), defer);
    } catch (thrown) {
      rememberAbsent(model, thrown);
      throw thrown;
    }
    return { release: currents.get(model)!.release, cold: false };
  }

  async function pinned(model: string, version: string, defer: Defer): Promise<Choice> {
    const key = `${model}/${version}`;
    const known = versions.get(key);
    if (known !== undefined) return { release: known, cold: false };
    refuseAbsent(key);
    const work = async (): Promise<Release> => {
      const release = VERSION.test(version) ? await read(model, Number(version)) : undefined;
      if (release !== undefined) return release;
      if ((await getRelease(store, model, 1)) === undefined)
        throw new Fault('not_found', `no model ${model}`, { field: 'model' });
      throw new Fault('not_found', `model ${model} has no version ${version}: versions are release numbers`, {
        field: 'version',
      });
    };
    try {
      return { release: await reads.run(key, work, defer), cold: false };
    } catch (thrown) {
      rememberAbsent(key, thrown);
      throw thrown;
    }
  }

  return {
    async resolve(model, version, defer) {
      const current = currents.get(model);
      if (current === undefined && !Name.safeParse(model).success)
        throw new Fault('not_found', `no model ${model}`, { field: 'model' });
      if (version !== undefined) return pinned(model, version, defer);
      if (current === undefined) return first(model, defer);
      const now = clock();
      const age = now - current.lookedAt;
      if (age <= freshness.backgroundAfterMs || now < current.quietUntil)
        return { release: current.release, cold: false };
      const looking = looks.run(model, () => refresh(model), defer);
      if (age <= freshness.blockAfterMs) return { release: current.release, cold: false };
      const cold = await looking;
      return { release: currents.get(model)!.release, cold };
    },
  };
}

/** Release numbers count from 1; nine digits are more than there will ever be. */
const VERSION = /^[1-9]\d{0,8}$/;
