import { MODELS_PREFIX } from '../contracts/keys.ts';
import type { ModelList, Release } from '../contracts/release.ts';
import { eachObject } from '../storage/list.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { currentChannel } from './channels.ts';
import { newestFirst } from './releases.ts';

interface Found {
  releases: number;
  readonly channels: Set<string>;
}

const KEY = /^models\/([^/]+)\/(?:releases\/(\d+)|channels\/([^/]+)\/\d+)\.json$/;

/** Every model by name, with its number of releases and where its channels point. Lists all of `models/`. */
export async function listModels(store: ObjectStore): Promise<ModelList['models']> {
  const found = new Map<string, Found>();
  for await (const { key } of eachObject(store, MODELS_PREFIX)) {
    const [, model, release, channel] = KEY.exec(key) ?? [];
    if (model === undefined) continue;
    const entry = found.get(model) ?? { releases: 0, channels: new Set<string>() };
    found.set(model, entry);
    if (release !== undefined) entry.releases += 1;
    if (channel !== undefined) entry.channels.add(channel);
  }
  const models: ModelList['models'] = [];
  for (const [name, { releases, channels }] of [...found].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const states = await Promise.all([...channels].map((channel) => pointer(store, name, channel)));
    models.push({ name, releases, channels: Object.fromEntries(states.flat()) });
  }
  return models;
}

async function pointer(
  store: ObjectStore,
  model: string,
  channel: string,
): Promise<readonly (readonly [string, number])[]> {
  const state = await currentChannel(store, model, channel);
  return state === undefined ? [] : [[channel, state.release]];
}

/** Newest first. @param limit at most this many; all by default */
export async function listReleases(store: ObjectStore, model: string, limit = Infinity): Promise<Release[]> {
  const releases: Release[] = [];
  for await (const release of newestFirst(store, model)) {
    if (releases.length >= limit) break;
    releases.push(release);
  }
  return releases;
}
