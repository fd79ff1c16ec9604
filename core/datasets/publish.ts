/** Stores the shards of a version, then the manifest, which makes it exist. */
import {
  type DatasetManifest,
  DatasetManifest as Manifest,
  type DatasetShard,
} from '../contracts/dataset.ts';
import { datasetKey, datasetShardKey } from '../contracts/keys.ts';
import { Fault } from '../errors.ts';
import { sha256Hex } from '../storage/blobs.ts';
import { getJson, putJson } from '../storage/json.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { headOf } from '../storage/sequence.ts';

export interface Publication {
  put(split: string, shard: number, rows: number, bytes: Uint8Array<ArrayBuffer>): Promise<DatasetShard>;
  /** @returns the manifest of the version that has these shards, which may be the one before */
  publish(manifest: Omit<DatasetManifest, 'version'>): Promise<DatasetManifest>;
}

/**
 * Shards that the newest version has too are not stored until one differs: data that was imported before is found to
 * be without writing anything, whatever its size. Then those that were passed over are copied, and all others are
 * written as they come. A crash leaves bytes nobody refers to, and the next import writes over them. The manifest is
 * create-only and carries each shard's hash, so two importers at once cannot mix their rows unnoticed.
 */
export async function publication(store: ObjectStore, name: string): Promise<Publication> {
  const keyOf = (version: number) => datasetKey(name, version);
  const newest = await headOf(store, keyOf);
  const version = newest + 1;
  let previous = newest === 0 ? undefined : await getJson(store, keyOf(newest), Manifest);
  let passedOver: { readonly split: string; readonly shard: DatasetShard }[] = [];

  const differ = async () => {
    previous = undefined;
    for (const { split, shard } of passedOver) {
      const key = datasetShardKey(name, newest, split, shard.shard);
      const body = (await store.get(key))?.body;
      if (body === undefined || (await sha256Hex(body)) !== shard.sha256)
        throw new Fault('unprocessable', `${key} is missing or corrupt: import under another name`);
      await store.put(datasetShardKey(name, version, split, shard.shard), body);
    }
    passedOver = [];
  };
  return {
    async put(split, shard, rows, bytes) {
      const described = { shard, rows, bytes: bytes.length, sha256: await sha256Hex(bytes) };
      if (previous !== undefined) {
        if (previous.splits[split]?.shards[shard]?.sha256 === described.sha256) {
          passedOver.push({ split, shard: described });
          return described;
        }
        await differ();
      }
      await store.put(datasetShardKey(name, version, split, shard), bytes);
      return described;
    },
    async publish(manifest) {
      if (previous !== undefined && sameContent(previous, manifest)) return previous;
      await differ();
      const complete = { ...manifest, version };
      const outcome = await putJson(store, keyOf(version), complete, 'create');
      if (outcome.kind === 'refused')
        throw new Fault('conflict', `dataset ${name} version ${version} was just imported by somebody else`);
      return complete;
    },
  };
}

function sameContent(a: DatasetManifest, b: Omit<DatasetManifest, 'version'>): boolean {
  const content = ({ tensors, splits, columns, leftOut }: Omit<DatasetManifest, 'version'>) =>
    JSON.stringify({ tensors, splits, columns, leftOut });
  return content(a) === content(b);
}
