/**
 * Looks at a whole bucket: which objects there are, what the documents among them say, and so which objects are needed.
 *
 * References are found conservatively (Boehm & Weiser 1988, "Garbage collection in an uncooperative environment"): every
 * SHA-256 that the text of a needed object contains counts as one, wherever it stands. A field that is added to a format
 * tomorrow keeps its blob without a word here; a hash that names no blob does no harm.
 */
import { z } from 'zod';
import { DatasetManifest } from '../contracts/dataset.ts';
import { blobKey, datasetShardKey, jobPlanKey, jobResultKey } from '../contracts/keys.ts';
import { Fault } from '../errors.ts';
import { inTurns } from '../in-turns.ts';
import { readControl } from '../jobs/control.ts';
import { getJson } from '../storage/json.ts';
import { listAll } from '../storage/list.ts';
import type { ObjectInfo, ObjectStore } from '../storage/object-store.ts';
import { countingText, counts, type Facts, judge, type Judgement, type JobStanding } from './layout.ts';

const READS_AT_ONCE = 16;
/** Of a file that is not JSON, its beginning: a safetensors header names what an update comes with. */
const HEADER_BYTES = 256 * 1024;
/** A blob that lists others (256 slices) is smaller than this. */
const INDEX_BYTES = 64 * 1024;

export interface Judged extends Judgement {
  readonly object: ObjectInfo;
}

/** What was read before: objects do not change, so a second look reads only what is new. */
export interface Memory {
  /** SHA-256 in the text of an object, by its key. */
  readonly names: Map<string, readonly string[]>;
  readonly manifests: Map<string, ReadonlySet<string>>;
}

export const emptyMemory = (): Memory => ({ names: new Map(), manifests: new Map() });

/**
 * Blobs are listed first and documents read last, so that what was named meanwhile is seen.
 * @throws Fault `internal` naming the key of a document that cannot be read: what it names is not known
 */
export async function survey(store: ObjectStore, memory: Memory = emptyMemory()): Promise<Judged[]> {
  // In the order of keys, which has blobs before all that names them.
  const objects = await listAll(store, '');
  const byKey = new Map(objects.map((object) => [object.key, object]));
  const facts = {
    jobs: await jobsOf(store, objects, byKey),
    datasets: await datasetsOf(store, objects, memory),
    outputs: new Set(objects.flatMap(({ key }) => /^outputs\/([^/]+)\/manifest\.json$/.exec(key)?.[1] ?? [])),
    named: new Map<string, string>(),
  };
  const isBlob = (key: string) => key.startsWith(blobKey(''));
  let front = objects.filter(({ key }) => !isBlob(key) && counts(facts, key));
  while (front.length > 0) {
    const found = await inTurns(front, READS_AT_ONCE, (object) => namesIn(store, object, memory));
    const next: ObjectInfo[] = [];
    found.forEach((names, i) => {
      for (const sha256 of names) {
        if (facts.named.has(sha256)) continue;
        facts.named.set(sha256, front[i]!.key);
        const blob = byKey.get(blobKey(sha256));
        if (blob !== undefined && blob.size <= INDEX_BYTES) next.push(blob);
      }
    });
    front = next;
  }
  return objects.map((object) => ({ object, ...judge(facts, object.key) }));
}

/** Of every kind of job alike. */
const Ended = z.looseObject({ status: z.string() });
const Plan = z.looseObject({ staleness: z.int().min(0).optional() });

async function jobsOf(
  store: ObjectStore,
  objects: readonly ObjectInfo[],
  listed: ReadonlyMap<string, ObjectInfo>,
): Promise<Facts['jobs']> {
  const ids = objects.flatMap(({ key }) => /^jobs\/([^/]+)\/spec\.json$/.exec(key)?.[1] ?? []);
  const closed = new Map<string, number>();
  for (const { key } of objects) {
    const [, job, round] = /^jobs\/([^/]+)\/rounds\/(\d+)\/commit\.json$/.exec(key) ?? [];
    if (job !== undefined) closed.set(job, Math.max(closed.get(job) ?? 0, Number(round) + 1));
  }
  const standings = await inTurns(ids, READS_AT_ONCE, async (job): Promise<JobStanding> => {
    const { run } = await readControl(store, job);
    const key = jobResultKey(job, run);
    const [result, plan] = await Promise.all([
      // A job that ended after it was listed released what was not listed: for this look it is live.
      listed.has(key) ? getJson(store, key, Ended) : undefined,
      getJson(store, jobPlanKey(job), Plan),
    ]);
    return {
      kind: kindOf(result?.status),
      closed: closed.get(job) ?? 0,
      staleness: plan?.staleness ?? 0,
    };
  });
  return new Map(ids.map((id, i) => [id, standings[i]!]));
}

function kindOf(status: string | undefined): JobStanding['kind'] {
  if (status === undefined) return 'live';
  return status === 'succeeded' || status === 'cancelled' ? 'over' : 'redrivable';
}

async function datasetsOf(
  store: ObjectStore,
  objects: readonly ObjectInfo[],
  { manifests }: Memory,
): Promise<Facts['datasets']> {
  const keys = objects.map(({ key }) => key).filter((key) => /^datasets\/.+\/manifest\.json$/.test(key));
  const fresh = keys.filter((key) => !manifests.has(key));
  const read = await inTurns(fresh, READS_AT_ONCE, (key) => getJson(store, key, DatasetManifest));
  read.forEach((manifest, i) => {
    if (manifest === undefined) throw new Fault('internal', `${fresh[i]!} was listed but is not there`);
    const { name, version, splits } = manifest;
    const files = Object.entries(splits).flatMap(([split, { shards }]) =>
      shards.map(({ shard }) => datasetShardKey(name, version, split, shard)),
    );
    manifests.set(fresh[i]!, new Set(files));
  });
  const folder = (key: string) => key.slice(0, -'manifest.json'.length);
  return new Map(keys.map((key) => [folder(key), manifests.get(key) ?? new Set()]));
}

const decoder = new TextDecoder('latin1');

async function namesIn(
  store: ObjectStore,
  { key, size }: ObjectInfo,
  { names }: Memory,
): Promise<readonly string[]> {
  const known = names.get(key);
  if (known !== undefined) return known;
  const whole = key.endsWith('.json') || size <= HEADER_BYTES;
  const object = await store.get(key, whole ? {} : { range: { start: 0, end: HEADER_BYTES } });
  // Of a job that was live a moment ago an object may be gone with it: then it needs nothing either.
  const text = object === undefined ? '' : countingText(key, decoder.decode(object.body));
  const found = [...new Set(text.match(/(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g) ?? [])];
  names.set(key, found);
  return found;
}
