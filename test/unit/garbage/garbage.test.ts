/** Garbage collection: nothing that is named is ever removed, everything else is. */
import { describe, expect, test } from 'vitest';
import {
  blobKey,
  channelKey,
  datasetKey,
  datasetShardKey,
  jobControlKey,
  jobIndexKey,
  jobPlanKey,
  jobResultKey,
  jobSpecKey,
  lostShardKey,
  outputManifestKey,
  outputShardKey,
  partReportKey,
  releaseKey,
  roundCommitKey,
  shardPartKey,
  shardUpdateKey,
} from '../../../core/contracts/keys.ts';
import { collectGarbage } from '../../../core/garbage/collect.ts';
import { createRandom, type Random } from '../../../core/random.ts';
import { putJson } from '../../../core/storage/json.ts';
import { listAll } from '../../../core/storage/list.ts';
import { encodeSafetensors } from '../../../core/tensors/safetensors.ts';
import { apiBeside } from '../fleet/api.ts';
import { clockwork } from '../fleet/clockwork.ts';
import { JOB, START } from '../fleet/world.ts';
import { type MemoryStore, memoryStore } from '../memory-store.ts';

const AT = new Date(START).toISOString();
const LATER = START + 7 * 86_400_000;
const ALL = { now: LATER, olderThanMs: 0 };

const keysOf = async (store: MemoryStore): Promise<string[]> =>
  (await listAll(store, '')).map(({ key }) => key);

/** A bucket of which it is known for each object, by how it was made, whether it is needed. */
class Bucket {
  readonly store = memoryStore(() => START);
  readonly needed = new Set<string>();
  readonly random: Random;

  constructor(seed: number) {
    this.random = createRandom(seed);
  }

  chance(share: number): boolean {
    return this.random.uniform() < share;
  }

  async put(key: string, value: unknown, needed: boolean): Promise<void> {
    if (value instanceof Uint8Array) await this.store.put(key, value);
    else await putJson(this.store, key, value);
    if (needed) this.needed.add(key);
  }

  /** @returns its SHA-256 (any name does, the collector does not hash) */
  async blob(needed: boolean): Promise<string> {
    const sha256 = Array.from({ length: 8 }, () => this.random.bits().toString(16).padStart(8, '0')).join('');
    await this.put(blobKey(sha256), Uint8Array.of(1, 2, 3), needed);
    return sha256;
  }

  async dataset(name: string, version: number): Promise<void> {
    const imported = this.chance(0.7);
    const file = { rows: 1, bytes: 3, sha256: 'f'.repeat(64) };
    const count = 1 + this.random.below(3);
    for (let shard = 0; shard < count; shard++)
      await this.put(datasetShardKey(name, version, 'train', shard), Uint8Array.of(1), imported);
    if (!imported) return;
    // A file of an import that was given up before.
    if (this.chance(0.5))
      await this.put(datasetShardKey(name, version, 'train', count), Uint8Array.of(1), false);
    const shards = Array.from({ length: count }, (_, shard) => ({ ...file, shard }));
    const splits = { train: { rows: count, shards } };
    const tensors = { x: { dtype: 'F32', shape: [1] } };
    await this.put(datasetKey(name, version), { v: 1, name, version, tensors, splits, createdAt: AT }, true);
  }

  async release(model: string, n: number): Promise<void> {
    const variants = { fp32: { sha256: await this.blob(true) }, int8: { sha256: await this.blob(true) } };
    const adapter = this.chance(0.5) ? { adapter: { sha256: await this.blob(true) } } : {};
    await this.put(releaseKey(model, n), { variants, ...adapter }, true);
    await this.put(channelKey(model, 'stable', n), { release: n }, true);
  }

  async job(n: number): Promise<void> {
    const job = `job_${String(n).padStart(8, '0')}`;
    const status = (['live', 'succeeded', 'cancelled', 'failed', 'stopped'] as const)[this.random.below(5)]!;
    const redrivable = status === 'failed' || status === 'stopped';
    const live = status === 'live';
    const goesOn = live || redrivable;
    const there = this.chance(0.9);
    const closed = this.random.below(5);
    const staleness = this.random.below(3);
    if (there) await this.put(jobSpecKey(job), { graph: await this.blob(true) }, true);
    await this.put(jobIndexKey(job, START), { v: 1, job }, there);
    const plan = { initialState: await this.blob(there && goesOn), ...(staleness > 0 ? { staleness } : {}) };
    await this.put(jobPlanKey(job), plan, there);
    const run = 1 + this.random.below(3);
    for (let seq = 1; seq < run; seq++) {
      await this.put(jobControlKey(job, seq), { v: 1, job, at: AT, action: 'redrive' }, there);
      const result = { status: 'failed', state: await this.blob(there) };
      await this.put(jobResultKey(job, seq), result, there);
    }
    if (!live) await this.put(jobResultKey(job, run), { status, state: await this.blob(there) }, there);
    for (let round = 0; round < closed + 2; round++) {
      const open = there && (live || (redrivable && round >= closed));
      // What an update's header names.
      const residual = await this.blob(open);
      const update = encodeSafetensors(new Map(), { residual: JSON.stringify({ sha256: residual }) });
      await this.put(shardUpdateKey(job, round, 0), update, open);
      await this.put(shardPartKey(job, round, 1, 1), Uint8Array.of(9), open);
      await this.put(lostShardKey(job, round, 2, 1), { reason: 'nan' }, there);
      if (round >= closed) continue;
      const from = redrivable ? closed - 1 - staleness : closed - 1;
      const counts = there && (live || round >= from);
      // A blob that stands for others.
      const part = await this.blob(counts);
      const index = await this.blob(counts);
      await putJson(this.store, blobKey(index), { v: 1, parts: [{ sha256: part, bytes: 3 }] });
      await this.put(roundCommitKey(job, round), { state: index, residuals: [null] }, there);
    }
  }
}

/** Of a job that is split and merged: failed and stopped ones may go on. */
async function fanOut(bucket: Bucket, n: number): Promise<void> {
  const job = `job_fan0000${n}`;
  const status = (['live', 'succeeded', 'cancelled', 'failed', 'stopped'] as const)[bucket.random.below(5)]!;
  await bucket.put(jobSpecKey(job), { kind: 'batch' }, true);
  await bucket.put(partReportKey(job, 0), { part: 0 }, true);
  const kept = status !== 'cancelled';
  await bucket.put(outputShardKey(job, 0, 'csv'), Uint8Array.of(1), kept);
  if (status === 'succeeded') await bucket.put(outputManifestKey(job), { rows: 1 }, true);
  if (status !== 'live') await bucket.put(jobResultKey(job), { status }, true);
}

async function randomBucket(seed: number): Promise<Bucket> {
  const bucket = new Bucket(seed);
  const { random } = bucket;
  for (let n = 0; n < random.below(5); n++) await bucket.dataset('d', n + 1);
  for (let n = 0; n < random.below(4); n++) await bucket.release('m', n + 1);
  for (let n = 0; n < random.below(6); n++) await bucket.job(n + 1);
  for (let n = 0; n < random.below(4); n++) await fanOut(bucket, n);
  for (let n = 0; n < random.below(6); n++) await bucket.blob(false);
  await bucket.put('notes/of-somebody-else.txt', Uint8Array.of(1), true);
  return bucket;
}

describe('a random bucket', () => {
  test('keeps what is named and loses all else', async () => {
    let removed = 0;
    for (let seed = 0; seed < 150; seed++) {
      const { store, needed } = await randomBucket(seed);
      const before = await keysOf(store);
      const dry = await collectGarbage(store, { ...ALL, dryRun: true });
      expect(await keysOf(store)).toEqual(before);
      const { garbage } = await collectGarbage(store, ALL);
      expect(garbage, `seed ${seed}`).toEqual(dry.garbage);
      expect(await keysOf(store), `seed ${seed}`).toEqual(before.filter((key) => needed.has(key)));
      removed += garbage.length;
      expect((await collectGarbage(store, ALL)).garbage).toEqual([]);
    }
    expect(removed).toBeGreaterThan(1_000);
  });

  test('keeps what is younger than the grace period, and says how much that is', async () => {
    const { store } = await randomBucket(3);
    const before = await keysOf(store);
    const options = { now: START + 999, olderThanMs: 1_000 };
    const { garbage, kinds } = await collectGarbage(store, options);
    expect(garbage).toEqual([]);
    expect(await keysOf(store)).toEqual(before);
    const young = [...kinds.values()].reduce((sum, kind) => sum + kind.young.objects, 0);
    const later = await collectGarbage(store, { ...options, now: START + 1_000 });
    expect(young).toBe(later.garbage.length);
    expect(young).toBeGreaterThan(0);
  });
});

test('what is named while the collector works is spared', async () => {
  const store = memoryStore(() => START);
  const bucket = new Bucket(1);
  const taken = await bucket.blob(false);
  const orphan = await bucket.blob(false);
  for (const sha256 of [taken, orphan]) await store.put(blobKey(sha256), Uint8Array.of(1));
  let lists = 0;
  store.before = async (operation) => {
    if (operation !== 'list' || ++lists !== 2) return;
    await putJson(store, releaseKey('m', 1), { variants: { fp32: { sha256: taken } } });
  };
  const { garbage } = await collectGarbage(store, ALL);
  expect(garbage.map(({ key }) => key)).toEqual([blobKey(orphan)]);
  expect(await store.head(blobKey(taken))).toBeDefined();
});

test('a document that cannot be read removes nothing', async () => {
  const { store } = await randomBucket(5);
  store.tamper('datasets/d/9/manifest.json', Uint8Array.of(1));
  const before = await keysOf(store);
  await expect(collectGarbage(store, ALL)).rejects.toMatchObject({
    detail: expect.stringContaining('datasets/d/9/manifest.json'),
  });
  expect(await keysOf(store)).toEqual(before);
});

describe('a job whose bucket is swept while it runs', () => {
  const SPEC = { shards: 2, epochs: 6 };
  const undisturbed = async () => {
    const job = await clockwork({ spec: SPEC });
    await job.run();
    return (await job.result())!;
  };

  test('before any of its messages ends with the same bytes', async () => {
    const expected = await undisturbed();
    const job = await clockwork({ spec: SPEC });
    const removed: string[] = [];
    const sweep = async () => {
      const { garbage } = await collectGarbage(job.store, ALL);
      removed.push(...garbage.map(({ key }) => key));
      return false;
    };
    await job.run(sweep);
    expect(await job.result()).toMatchObject({ status: 'succeeded' });
    expect((await job.result())!).toMatchObject({ graph: 'graph' in expected ? expected.graph : '' });
    await sweep();
    // Of three rounds the last state stays, and the release.
    const states = await Promise.all([0, 1, 2].map(async (round) => (await job.commit(round))!.state));
    expect(removed).toEqual(
      expect.arrayContaining([blobKey(states[0]!), blobKey(states[1]!), shardUpdateKey(JOB, 0, 0)]),
    );
    expect(await job.store.head(blobKey(states[2]!))).toBeDefined();
  });

  test('after it failed goes on by a redrive and ends with the same bytes', async () => {
    const expected = await undisturbed();
    let dying = true;
    const dies = ({ kind, ...task }: { kind: string; round?: number; shard?: number }) =>
      dying && kind === 'shard' && task.round === 1 && task.shard === 1;
    const job = await clockwork({ spec: SPEC, dies });
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'failed' });
    const { garbage } = await collectGarbage(job.store, ALL);
    expect(garbage.map(({ key }) => key)).toContain(shardUpdateKey(JOB, 0, 0));
    expect(await job.store.head(shardUpdateKey(JOB, 1, 0))).toBeDefined();
    dying = false;
    const api = apiBeside(job);
    const headers = { 'content-type': 'application/json' };
    const answer = await api.request(`/v1/jobs/${JOB}/redrive`, { method: 'POST', headers, body: '{}' });
    expect(answer.status).toBe(200);
    await job.run();
    expect(await job.result()).toMatchObject({ status: 'succeeded' });
    expect((await job.result())!).toMatchObject({ graph: 'graph' in expected ? expected.graph : '' });
  });
});
