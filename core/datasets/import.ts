/**
 * Makes a new version of a dataset of a source's rows: sharded safetensors, then the manifest. The rows pass by; in
 * memory are a batch and, for each split, the shard that is being filled.
 */
import {
  type DatasetManifest,
  DatasetManifest as Manifest,
  type DatasetShard,
} from '../contracts/dataset.ts';
import { parse } from '../contracts/parse.ts';
import { Fault } from '../errors.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { Columns } from './columns.ts';
import { type Publication, publication } from './publish.ts';
import { rowBytesOf, type Shard, shardWriter } from './shard-writer.ts';
import type { DatasetSource } from './source.ts';
import { memorySource } from './sources/memory.ts';
import { drawing, drawnSplits, type HeldOut } from './split.ts';
import { statistics } from './statistics.ts';
import { type Survey, survey } from './survey.ts';

/** Bytes. A function that trains holds whole shards, and so does an import: one per split. */
export const MAX_SHARD_BYTES = 32 << 20;

export interface ImportProgress {
  readonly stage: 'reading' | 'writing';
  /** Bytes read, of those that this stage reads. */
  readonly done: number;
  readonly total: number;
  /** Shards stored. */
  readonly shards: number;
}

export interface ImportOptions {
  readonly name: string;
  readonly source: DatasetSource;
  /** Files per split: fewer where a split has fewer rows, more where one would be larger than `shardBytes`. */
  readonly shards: number;
  /** Default {@link MAX_SHARD_BYTES}. */
  readonly shardBytes?: number;
  /** Of sources that do not say themselves which rows are held out. */
  readonly heldOut: HeldOut;
  /** Wrong rows that may be left out; default none. */
  readonly maxBadRows?: number;
  readonly now: () => Date;
  readonly onProgress?: (progress: ImportProgress) => void;
}

/**
 * Importing the same rows again returns the version that already has them. Nothing is stored before all rows were
 * seen to be good.
 * @throws Fault `invalid` with the first wrong rows; `conflict` where a file changes meanwhile
 */
export async function importSource(store: ObjectStore, options: ImportOptions): Promise<DatasetManifest> {
  const { name, source, heldOut, now } = options;
  const progress = progressOf(options);
  const seen = await survey(source, options.maxBadRows ?? 0, progress.reading);
  const { rows, draw } = splitsOf(seen, heldOut);
  const target = await publication(store, name);
  const splits = Object.entries(rows)
    .filter(([, count]) => count > 0)
    .map(([split, count]) => splitWriter(split, count, options, seen, target));
  const splitOf = new Map(splits.map((writer) => [writer.split, writer]));

  for await (const { rows: good, split } of seen.read(progress.writing)) {
    for (const run of split === undefined ? runs(good, draw) : [{ split, start: 0, end: good.rows }]) {
      const writer = splitOf.get(run.split) ?? changed();
      await writer.add(good, run.start, run.end, progress.stored);
    }
  }
  const manifest = {
    v: 1,
    name,
    tensors: source.tensors,
    splits: Object.fromEntries(splits.map((writer) => [writer.split, writer.result()])),
    columns: seen.columns,
    ...(seen.leftOut === undefined ? {} : { leftOut: seen.leftOut }),
    createdAt: now().toISOString(),
  };
  return target.publish(parse(Manifest.omit({ version: true }), manifest));
}

/** Rows that are in memory already. All splits must have the same tensors. */
export function importDataset(
  store: ObjectStore,
  {
    splits,
    ...options
  }: Pick<ImportOptions, 'name' | 'shards' | 'now'> & {
    readonly splits: Readonly<Record<string, Columns>>;
  },
): Promise<DatasetManifest> {
  return importSource(store, { ...options, source: memorySource(splits), heldOut: { share: 0, seed: 0 } });
}

/** Rows of each split, and the split of each row in turn where it is drawn. */
function splitsOf(
  { rows, leftOut }: Survey,
  heldOut: HeldOut,
): { readonly rows: Readonly<Record<string, number>>; readonly draw: () => string } {
  if (typeof rows !== 'number') return { rows, draw: changed };
  const drawn = drawnSplits(rows, heldOut, leftOut);
  const isHeldOut = drawing(drawn, heldOut.seed);
  return { rows: drawn, draw: () => (isHeldOut() ? 'test' : 'train') };
}

const changed = (): never => {
  throw new Fault('conflict', 'a file changed while it was imported; nothing was imported');
};

function splitWriter(
  split: string,
  rows: number,
  { source, shards, shardBytes = MAX_SHARD_BYTES }: ImportOptions,
  { columns }: Survey,
  target: Publication,
) {
  const { tensors } = source;
  const least = Math.ceil((rows * rowBytesOf(tensors)) / shardBytes);
  const writer = shardWriter({ tensors, rows, shards: Math.min(rows, Math.max(shards, least)) });
  const figures = statistics(columns);
  const stored: DatasetShard[] = [];
  const store = async (shard: Shard) => {
    figures.add(shard.rows);
    stored.push(await target.put(split, shard.shard, shard.rows.rows, shard.bytes));
  };
  return {
    split,
    async add(good: Columns, start: number, end: number, onStored: () => void) {
      if (end - start > writer.missing()) changed();
      for (const shard of writer.add(good, start, end)) {
        await store(shard);
        onStored();
      }
    },
    result() {
      if (writer.missing() > 0) changed();
      return { rows, shards: stored, statistics: figures.result() };
    },
  };
}

/** Neighbouring rows that go to one split. */
function* runs(
  { rows }: Columns,
  splitOf: () => string,
): Generator<{ readonly split: string; readonly start: number; readonly end: number }> {
  let start = 0;
  let split = splitOf();
  for (let row = 1; row < rows; row++) {
    const next = splitOf();
    if (next === split) continue;
    yield { split, start, end: row };
    [start, split] = [row, next];
  }
  yield { split, start, end: rows };
}

function progressOf({ source, onProgress }: ImportOptions) {
  let [done, shards] = [0, 0];
  let stage: ImportProgress['stage'] = 'reading';
  const tell = () => onProgress?.({ stage, done, total: source.bytes, shards });
  return {
    reading: (bytes: number) => {
      done += bytes;
      tell();
    },
    writing: (bytes: number) => {
      if (stage === 'reading') [stage, done] = ['writing', 0];
      done += bytes;
      tell();
    },
    stored: () => {
      shards += 1;
      tell();
    },
  };
}
