/** Writes rows as a new version of a dataset: sharded safetensors, then the manifest, which makes it exist. */
import {
  type DatasetManifest,
  DatasetManifest as Manifest,
  type DatasetShard,
  type DatasetTensor,
} from '../contracts/dataset.ts';
import { datasetKey, datasetShardKey } from '../contracts/keys.ts';
import { parse } from '../contracts/parse.ts';
import { Fault } from '../errors.ts';
import { sha256Hex } from '../storage/blobs.ts';
import { getJson, putJson } from '../storage/json.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { headOf } from '../storage/sequence.ts';
import { encodeSafetensors } from '../tensors/safetensors.ts';
import { type Columns, slice } from './columns.ts';

export interface ImportOptions {
  readonly name: string;
  /** All splits must have the same tensors. */
  readonly splits: Readonly<Record<string, Columns>>;
  /** Files per split; fewer where a split has fewer rows. */
  readonly shards: number;
  readonly now: () => Date;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Importing the same rows again returns the version that already has them. Shards are written before the manifest:
 * a crash in between leaves bytes nobody refers to, and the next import writes over them. The manifest is
 * create-only and carries each shard's hash, so two importers at once cannot mix their rows unnoticed.
 */
export async function importDataset(store: ObjectStore, options: ImportOptions): Promise<DatasetManifest> {
  const { name } = options;
  const keyOf = (version: number) => datasetKey(name, version);
  const newest = await headOf(store, keyOf);
  const files = encodeSplits(options);
  const shards = new Map<string, DatasetShard[]>();
  for (const file of files) {
    const described = {
      shard: file.shard,
      rows: file.rows,
      bytes: file.bytes.length,
      sha256: await sha256Hex(file.bytes),
    };
    shards.set(file.split, [...(shards.get(file.split) ?? []), described]);
  }
  const version = newest + 1;
  const manifest = parse(Manifest, {
    v: 1,
    name,
    version,
    tensors: tensorsOf(options.splits),
    splits: Object.fromEntries(
      Object.entries(options.splits).map(([split, { rows }]) => [split, { rows, shards: shards.get(split) }]),
    ),
    createdAt: options.now().toISOString(),
  });

  const previous = newest === 0 ? undefined : await getJson(store, keyOf(newest), Manifest);
  if (previous !== undefined && sameContent(previous, manifest)) return previous;

  let done = 0;
  for (const { split, shard, bytes } of files) {
    await store.put(datasetShardKey(name, version, split, shard), bytes);
    options.onProgress?.(++done, files.length);
  }
  const outcome = await putJson(store, keyOf(version), manifest, 'create');
  if (outcome.kind === 'refused') {
    throw new Fault('conflict', `dataset ${name} version ${version} was just imported by somebody else`);
  }
  return manifest;
}

function encodeSplits({ splits, shards }: ImportOptions) {
  return Object.entries(splits).flatMap(([split, all]) => {
    const count = Math.min(shards, all.rows);
    return Array.from({ length: count }, (_, shard) => {
      const rows = slice(
        all,
        Math.floor((shard * all.rows) / count),
        Math.floor(((shard + 1) * all.rows) / count),
      );
      const tensors = Object.entries(rows.tensors).map(([name, { spec, data }]) => {
        return [name, { dtype: spec.dtype, shape: [rows.rows, ...spec.shape], data }] as const;
      });
      return { split, shard, rows: rows.rows, bytes: encodeSafetensors(new Map(tensors)) };
    });
  });
}

function tensorsOf(splits: ImportOptions['splits']): Record<string, DatasetTensor> {
  const [first, ...rest] = Object.entries(splits).map(([split, { tensors }]) => ({
    split,
    specs: Object.fromEntries(Object.entries(tensors).map(([name, { spec }]) => [name, spec])),
  }));
  if (first === undefined) throw new Fault('invalid', 'splits: at least one is needed', { field: 'splits' });
  for (const { split, specs } of rest) {
    if (JSON.stringify(specs) !== JSON.stringify(first.specs)) {
      throw new Fault('invalid', `splits: ${split} has other tensors than ${first.split}`, {
        field: 'splits',
      });
    }
  }
  return first.specs;
}

function sameContent(a: DatasetManifest, b: DatasetManifest): boolean {
  const content = ({ tensors, splits }: DatasetManifest) => JSON.stringify({ tensors, splits });
  return content(a) === content(b);
}
