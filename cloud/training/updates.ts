/** Shards' updates in the store: a safetensors file each, or with several mergers a file a slice and one naming them. */
import { z } from 'zod';
import { type JobPlan, Part, type RoundShard, ShardReport } from '../../core/contracts/job.ts';
import { shardUpdateKey } from '../../core/contracts/keys.ts';
import { Fault } from '../../core/errors.ts';
import { encodeState, stateOfTensors } from '../../core/jobs/state.ts';
import type { Residual } from '../../core/compression/feedback.ts';
import { meterOf } from '../../core/jobs/meter.ts';
import { getBlob, sha256Hex } from '../../core/storage/blobs.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import {
  decodeResidual,
  decodeUpdate,
  encodeResidual,
  encodeUpdate,
  noResidual,
} from '../../core/strategies/files.ts';
import type { Slice } from '../../core/strategies/slices.ts';
import type { Strategy, Update } from '../../core/strategies/strategy.ts';
import { decodeSafetensors, encodeSafetensors } from '../../core/tensors/safetensors.ts';
import type { TensorValue } from '../../core/tensors/tensor.ts';
import type { FleetContext } from './context.ts';
import type { Start } from './documents.ts';
import { putPart, slicesOfPlan } from './parts.ts';

const Parts = z.array(Part);

/** What a shard has to say of its round. */
export interface Sending {
  readonly report: ShardReport;
  /** Flat and whole; what the strategy sends. */
  readonly vectors: Update['vectors'];
}

/**
 * Stores what the update names, blobs that any execution makes alike. An update that is there is complete.
 * @returns the update itself, to be written create-only
 */
export async function prepareUpdate(
  store: ObjectStore,
  plan: JobPlan,
  strategy: Strategy,
  start: Start,
  { report, vectors }: Sending,
): Promise<Uint8Array<ArrayBuffer>> {
  const metadata: Record<string, string> = { base: start.sha256, report: JSON.stringify(report) };
  if (strategy.sends === 'state' && plan.slices === undefined) {
    const { parameters, ...slots } = vectors;
    return encodeState({ parameters: parameters!, slots }, plan.parameters, metadata);
  }
  const { shard } = report;
  const residual = await residualOf(store, strategy, start, shard, Object.values(vectors)[0]!.length);
  const files = encodeUpdate({ shard, vectors }, residual, strategy, slicesOfPlan(plan));
  if (residual !== undefined) {
    const kept = encodeResidual(residual, strategy.compression?.momentum !== undefined);
    metadata['residual'] = JSON.stringify(await putPart(store, kept));
  }
  if (plan.slices === undefined) return encodeSafetensors(files[0]!, metadata);
  const parts = await Promise.all(files.map((file) => putPart(store, encodeSafetensors(file))));
  return encodeSafetensors({}, { ...metadata, parts: JSON.stringify(parts) });
}

async function residualOf(
  store: ObjectStore,
  { compression }: Strategy,
  { residuals }: Start,
  shard: number,
  length: number,
): Promise<Residual | undefined> {
  if (compression?.errorFeedback !== true) return undefined;
  const kept = residuals?.[shard] ?? undefined;
  if (kept === undefined) return noResidual(length);
  return decodeResidual(await getBlob(store, kept.sha256), length, compression.momentum !== undefined);
}

/** An update that is there: what it says, and its file. */
export interface PresentUpdate extends RoundShard {
  readonly tensors: ReadonlyMap<string, TensorValue>;
  /** One a slice, where the tensors are not in the file itself. */
  readonly parts: readonly Part[] | undefined;
  /** Of the file itself, and with its parts. */
  readonly fileBytes: number;
  readonly bytes: number;
}

/**
 * @returns undefined where it is missing
 * @throws Fault `unprocessable` where it was trained from something else
 */
export async function presentUpdate(
  { store, caches }: Pick<FleetContext, 'store' | 'caches'>,
  job: string,
  round: number,
  shard: number,
  base: string,
): Promise<PresentUpdate | undefined> {
  const key = shardUpdateKey(job, round, shard);
  const object = caches.updates?.get(key) ?? (await store.get(key));
  if (object === undefined) return undefined;
  const { tensors, metadata } = decodeSafetensors(object.body);
  if (metadata['base'] !== base) throw new Fault('unprocessable', `${key} was trained from another state`);
  const report = ShardReport.parse(JSON.parse(metadata['report'] ?? 'null'));
  const { residual, parts: named } = metadata;
  const parts = named === undefined ? undefined : Parts.parse(JSON.parse(named));
  const fileBytes = object.body.length;
  return {
    ...report,
    sha256: await sha256Hex(object.body),
    ...(residual === undefined ? {} : { residual: Part.parse(JSON.parse(residual)) }),
    bytes: (parts ?? []).reduce((sum, part) => sum + part.bytes, fileBytes),
    ...meterOf(object),
    tensors,
    parts,
    fileBytes,
  };
}

/** @param slice of the plan's, by number; default: the whole */
export async function readUpdate(
  store: ObjectStore,
  plan: JobPlan,
  strategy: Strategy,
  update: PresentUpdate,
  slice?: number,
): Promise<Update> {
  const { shard, samples, count } = update;
  const range: Slice = slicesOfPlan(plan)[slice ?? 0]!;
  if (slice === undefined && strategy.sends === 'state') {
    const { parameters, slots } = stateOfTensors(update.tensors, plan.parameters, strategy.slots);
    return { shard, samples, count, vectors: { parameters, ...slots } };
  }
  const part = update.parts?.[slice ?? 0];
  const tensors =
    part === undefined ? update.tensors : decodeSafetensors(await getBlob(store, part.sha256)).tensors;
  return { shard, samples, count, vectors: decodeUpdate(tensors, strategy, range) };
}
