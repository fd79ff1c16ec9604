/** What lies in the bucket of a round, beside its commit. For display only: nothing of the protocol lists. */
import { LostShard } from '../contracts/job.ts';
import { lostShardKey, roundPrefix } from '../contracts/keys.ts';
import type { TaskMeter } from '../contracts/usage.ts';
import { inTurns } from '../in-turns.ts';
import { meterOf } from '../jobs/meter.ts';
import { getJson } from '../storage/json.ts';
import { eachObject } from '../storage/list.ts';
import type { ObjectInfo, ObjectStore } from '../storage/object-store.ts';

export interface Trace {
  /** When it was written. */
  readonly at: Date;
  readonly meter: TaskMeter | undefined;
}

/** By shard. */
export interface RoundTraces {
  readonly updates: ReadonlyMap<number, Trace>;
  /** The last of each that has no update. */
  readonly checkpoints: ReadonlyMap<number, Trace>;
  readonly lost: ReadonlyMap<number, LostShard>;
}

/** Meters of immutable objects already asked for, by key. */
export type KnownMeters = Map<string, TaskMeter | undefined>;

const UPDATE = /^shards\/(\d+)\.safetensors$/;
const CHECKPOINT = /^shards\/(\d+)\/part-(\d+)\.safetensors$/;
const LOST = /^lost\/(\d+)-(\d+)\.json$/;
/** Objects asked for at the same time. */
const AT_ONCE = 32;

/** @param isWanted shards to look at */
export async function lookAtRound(
  store: ObjectStore,
  { job, round, run }: { readonly job: string; readonly round: number; readonly run: number },
  isWanted: (shard: number) => boolean,
  known: KnownMeters,
): Promise<RoundTraces> {
  const prefix = roundPrefix(job, round);
  const updates = new Map<number, ObjectInfo>();
  const checkpoints = new Map<number, ObjectInfo & { readonly part: number }>();
  const lost: number[] = [];
  for await (const object of eachObject(store, prefix)) {
    const name = object.key.slice(prefix.length);
    const shard = Number((UPDATE.exec(name) ?? CHECKPOINT.exec(name) ?? LOST.exec(name))?.[1] ?? NaN);
    if (!isWanted(shard)) continue;
    if (UPDATE.test(name)) updates.set(shard, object);
    const part = Number(CHECKPOINT.exec(name)?.[2] ?? 0);
    if (part > (checkpoints.get(shard)?.part ?? 0)) checkpoints.set(shard, { ...object, part });
    if (Number(LOST.exec(name)?.[2]) === run) lost.push(shard);
  }
  // An update tells what its checkpoints told.
  for (const shard of updates.keys()) checkpoints.delete(shard);
  const [told, going, reasons] = await Promise.all([
    traced(store, updates, known),
    traced(store, checkpoints, known),
    inTurns(lost, AT_ONCE, async (shard) => {
      const reason = await getJson(store, lostShardKey(job, round, shard, run), LostShard);
      return [shard, reason] as const;
    }),
  ]);
  return {
    updates: told,
    checkpoints: going,
    lost: new Map(reasons.flatMap(([shard, reason]) => (reason === undefined ? [] : [[shard, reason]]))),
  };
}

/** A list has no metadata: each object is asked for its own, once. */
export async function traced(
  store: ObjectStore,
  objects: ReadonlyMap<number, ObjectInfo>,
  known: KnownMeters,
): Promise<ReadonlyMap<number, Trace>> {
  const found = await inTurns([...objects], AT_ONCE, async ([number, { key, modifiedAt }]) => {
    if (!known.has(key)) {
      const info = await store.head(key);
      known.set(key, info && meterOf(info));
    }
    return [number, { at: modifiedAt, meter: known.get(key) }] as const;
  });
  return new Map(found);
}
