/** Reads rows of a dataset, verified against the manifest. */
import {
  type DatasetManifest,
  DatasetManifest as Manifest,
  type DatasetShard,
} from '../contracts/dataset.ts';
import { datasetKey, datasetShardKey } from '../contracts/keys.ts';
import { Fault } from '../errors.ts';
import { sha256Hex } from '../storage/blobs.ts';
import { type Documents, getDocument } from '../storage/documents.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { headOf } from '../storage/sequence.ts';
import { decodeSafetensors } from '../tensors/safetensors.ts';
import { columns, type Columns, concatenate, slice } from './columns.ts';

/** @param version the newest where left out @param documents what is remembered of them @throws Fault `not_found` */
export async function readManifest(
  store: ObjectStore,
  name: string,
  version?: number,
  documents?: Documents,
): Promise<DatasetManifest> {
  const wanted = version ?? (await headOf(store, (n) => datasetKey(name, n)));
  const manifest =
    wanted === 0 ? undefined : await getDocument({ store, documents }, datasetKey(name, wanted), Manifest);
  if (manifest !== undefined) return manifest;
  const which = version === undefined ? name : `${name} version ${version}`;
  throw new Fault('not_found', `no dataset ${which}`, { field: 'dataset' });
}

/** Whole shards already decoded, by SHA-256: a warm function reads its rows once. */
export interface ShardCache {
  get(sha256: string): Columns | undefined;
  set(sha256: string, shard: Columns, bytes: number): void;
}

/** Lower-case hex SHA-256 of bytes. */
export type Sha256 = (bytes: Uint8Array<ArrayBuffer>) => string | Promise<string>;

/**
 * @param sha256 where a platform has a quicker one than WebCrypto
 * @returns rows `[start, end)` of a split
 * @throws Fault `unprocessable` where a shard is missing or its bytes are not what the manifest says
 */
export async function readRows(
  store: ObjectStore,
  manifest: DatasetManifest,
  split: string,
  range: { readonly start: number; readonly end: number },
  cache?: ShardCache,
  sha256: Sha256 = sha256Hex,
): Promise<Columns> {
  const described = manifest.splits[split];
  if (described === undefined)
    throw new Fault('unprocessable', `dataset ${manifest.name} has no split ${split}`);
  const parts: Columns[] = [];
  let first = 0;
  for (const shard of described.shards) {
    const start = Math.max(range.start, first);
    const end = Math.min(range.end, first + shard.rows);
    if (start < end) {
      let whole = cache?.get(shard.sha256);
      if (whole === undefined) {
        whole = await readShard(store, manifest, split, shard, sha256);
        cache?.set(shard.sha256, whole, shard.bytes);
      }
      parts.push(
        start === first && end === first + shard.rows ? whole : slice(whole, start - first, end - first),
      );
    }
    first += shard.rows;
  }
  return concatenate(parts);
}

async function readShard(
  store: ObjectStore,
  manifest: DatasetManifest,
  split: string,
  { shard, sha256: expected }: DatasetShard,
  sha256: Sha256,
): Promise<Columns> {
  const key = datasetShardKey(manifest.name, manifest.version, split, shard);
  const object = await store.get(key);
  if (object === undefined) throw new Fault('unprocessable', `${key} is missing`);
  if ((await sha256(object.body)) !== expected) {
    throw new Fault('unprocessable', `${key} is corrupt: its SHA-256 is not the manifest's`);
  }
  const { tensors } = decodeSafetensors(object.body);
  return columns(
    Object.fromEntries(
      Object.entries(manifest.tensors).map(([name, spec]) => {
        const tensor = tensors.get(name);
        if (tensor === undefined) throw new Fault('unprocessable', `${key} has no tensor ${name}`);
        return [name, { spec, data: tensor.data }];
      }),
    ),
  );
}
