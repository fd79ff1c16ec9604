/** Channels: named pointers to a release (`stable`, `canary`), each a create-only sequence whose highest is in force. */
import { channelKey } from '../contracts/keys.ts';
import { parse } from '../contracts/parse.ts';
import { ChannelMove } from '../contracts/release.ts';
import { Fault } from '../errors.ts';
import { getJson } from '../storage/json.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { append, headOf } from '../storage/sequence.ts';
import { getRelease } from './releases.ts';

/** What a channel points to, and where in its sequence that was read. */
export interface ChannelState {
  readonly sequence: number;
  readonly release: number;
  /** ISO 8601, UTC. */
  readonly movedAt: string;
}

/**
 * @param known an earlier answer: an unmoved channel then costs one HEAD and the same object comes back
 * @returns undefined where the channel never moved
 */
export async function currentChannel(
  store: ObjectStore,
  model: string,
  channel: string,
  known?: ChannelState,
): Promise<ChannelState | undefined> {
  const sequence = await headOf(store, (n) => channelKey(model, channel, n), known?.sequence);
  if (sequence === 0) return undefined;
  if (sequence === known?.sequence) return known;
  const move = await getJson(store, channelKey(model, channel, sequence), ChannelMove);
  if (move === undefined)
    throw new Fault('internal', `${channelKey(model, channel, sequence)} disappeared while it was read`);
  return { sequence, release: move.release, movedAt: move.movedAt };
}

/**
 * Points the channel to a release. Where it points there already nothing is written.
 * @throws Fault `invalid` naming the malformed field, `unprocessable` where there is no such release
 */
export async function moveChannel(
  store: ObjectStore,
  model: string,
  channel: string,
  release: number,
  now: Date,
): Promise<ChannelState> {
  const movedAt = now.toISOString();
  const move = parse(ChannelMove, { v: 1, model, channel, release, movedAt });
  if ((await getRelease(store, model, release)) === undefined)
    throw new Fault('unprocessable', `release: ${model} has no release ${release}`, { field: 'release' });
  const current = await currentChannel(store, model, channel);
  if (current?.release === release) return current;
  const sequence = await append(
    store,
    (n) => channelKey(model, channel, n),
    () => move,
  );
  return { sequence, release, movedAt };
}
