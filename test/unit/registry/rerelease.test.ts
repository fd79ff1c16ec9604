import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { CascadeSpec } from '../../../core/contracts/cascade.ts';
import { ReleaseRequest, type Release } from '../../../core/contracts/release.ts';
import { buildMlp } from '../../../core/onnx/builders/mlp.ts';
import { currentChannel, moveChannel } from '../../../core/registry/channels.ts';
import { getRelease, publishRelease, releaseOfJob } from '../../../core/registry/releases.ts';
import { rerelease } from '../../../core/registry/rerelease.ts';
import { putBlob } from '../../../core/storage/blobs.ts';
import { headOf } from '../../../core/storage/sequence.ts';
import { releaseKey } from '../../../core/contracts/keys.ts';
import { type MemoryStore, memoryStore } from '../memory-store.ts';

const bytes = buildMlp({ inputs: 2, hidden: [3], classes: 2, seed: 1, inputName: 'x', outputName: 'y' });
const HASH = createHash('sha256').update(bytes).digest('hex');
const JOB = 'job_00000001';
const LATER = new Date('2026-02-03T04:05:06.000Z');
const CASCADE = CascadeSpec.parse({ threshold: 0.9, large: { model: 'big' } });
const KEPT = { exclude: ['cloud'] };

const trained = (n: number): Release => ({
  v: 1,
  model: 'm',
  release: n,
  variants: { fp32: { sha256: HASH, bytes: 10 } },
  signature: {
    inputs: [{ name: 'x', dtype: 'F32', shape: ['n', 2] }],
    outputs: [{ name: 'y', dtype: 'F32', shape: ['n', 2] }],
  },
  metrics: { accuracy: 0.5 },
  routing: { deadlineMs: 200 },
  lineage: { job: JOB, dataset: { name: 'digits', version: 1 }, graph: HASH },
  createdAt: '2026-01-02T03:04:05.000Z',
});

let store: MemoryStore;
beforeEach(async () => {
  store = memoryStore();
  await putBlob(store, bytes);
  for (const model of ['m', 'big']) {
    await publishRelease(store, model, JOB, (n) => ({ ...trained(n), model }));
    await moveChannel(store, model, 'stable', 1, new Date());
  }
});
const say = (words: Omit<Parameters<typeof rerelease>[1], 'model' | 'channel'>, channel = 'stable') =>
  rerelease(store, { model: 'm', channel, ...words }, LATER);
const served = async (channel = 'stable') => (await currentChannel(store, 'm', channel))?.release;

describe('a release under other words', () => {
  it('has the files of the one before, its number, and the channel', async () => {
    expect(await say({ cascade: CASCADE })).toBe(2);
    const { lineage, ...before } = trained(2);
    expect(await getRelease(store, 'm', 2)).toEqual({
      ...before,
      cascade: CASCADE,
      lineage: { ...lineage, release: 1 },
      createdAt: LATER.toISOString(),
    });
    expect(await getRelease(store, 'm', 1)).toEqual(trained(1));
    expect(await served()).toBe(2);
  });

  it('keeps what is not spoken of, and takes back what is null', async () => {
    await say({ cascade: CASCADE });
    await say({ routing: KEPT });
    expect(await getRelease(store, 'm', 3)).toMatchObject({ cascade: CASCADE, routing: KEPT });
    await say({ cascade: null, routing: null });
    const bare = (await getRelease(store, 'm', 4))!;
    expect([bare.cascade, bare.routing, bare.lineage.release]).toEqual([undefined, undefined, 3]);
  });

  it('is not written again where that is said already', async () => {
    for (let i = 0; i < 3; i++) expect(await say({ cascade: CASCADE })).toBe(2);
    expect(await say({ cascade: CASCADE, from: 2 }, 'canary')).toBe(2);
    expect(await headOf(store, (n) => releaseKey('m', n))).toBe(2);
    expect(await served('canary')).toBe(2);
  });

  it('is not the job’s own: that one is found, and not published again', async () => {
    await say({ routing: KEPT });
    expect((await releaseOfJob(store, 'm', JOB))?.release).toBe(1);
    expect(await publishRelease(store, 'm', JOB, trained)).toBe(1);
  });

  it.each([
    ['from', { from: 9, cascade: null }],
    ['cascade.output', { cascade: { ...CASCADE, output: 'z' } }],
    ['cascade.large.model', { cascade: { ...CASCADE, large: { model: 'nope' } } }],
    ['cascade.large.version', { cascade: { ...CASCADE, large: { model: 'big', version: 99 } } }],
    ['routing.variant', { routing: { variant: 'int8' } }],
  ] as const)('is refused where there is no such %s', async (field, words) => {
    await expect(say(words)).rejects.toMatchObject({ code: 'unprocessable', field });
    expect(await headOf(store, (n) => releaseKey('m', n))).toBe(1);
  });

  it('is refused where the output holds something else than the cascade says', async () => {
    await expect(say({ cascade: { ...CASCADE, scores: 'logits' } })).rejects.toMatchObject({
      code: 'unprocessable',
      field: 'cascade.scores',
      message: 'cascade.scores: y holds probabilities, not logits',
    });
  });

  it('takes the larger model by its version, where no channel points to it', async () => {
    await publishRelease(store, 'fresh', JOB, (n) => ({ ...trained(n), model: 'fresh' }));
    const asked = (version?: number) =>
      say({ cascade: CascadeSpec.parse({ threshold: 0.9, large: { model: 'fresh', version } }) });
    await expect(asked()).rejects.toMatchObject({
      field: 'cascade.large.model',
      message: 'cascade.large.model: fresh has no channel stable; name a version',
    });
    expect(await asked(1)).toBe(2);
  });

  it.each<[string, Partial<Release['signature']>]>([
    ['input x', { inputs: [{ name: 'x', dtype: 'F32', shape: ['n', 3] }] }],
    ['input z', { inputs: [...trained(1).signature.inputs, { name: 'z', dtype: 'F32', shape: [] }] }],
    ['output y', { outputs: [{ name: 'scores', dtype: 'F32', shape: ['n', 2] }] }],
  ])('is refused where the larger model differs in the %s', async (what, different) => {
    const signature = { ...trained(1).signature, ...different };
    await publishRelease(store, 'other', JOB, (n) => ({ ...trained(n), model: 'other', signature }));
    const cascade = CascadeSpec.parse({ threshold: 0.9, large: { model: 'other', version: 1 } });
    await expect(say({ cascade })).rejects.toMatchObject({
      code: 'unprocessable',
      message: `cascade.large.model: other must have the inputs and outputs of m: they differ in the ${what}`,
    });
  });

  it('is refused for a model that is not there', async () => {
    for (const from of [undefined, 1])
      await expect(
        rerelease(store, { model: 'nope', channel: 'stable', from, cascade: null }, LATER),
      ).rejects.toMatchObject({ code: 'not_found', field: 'model', message: 'no model nope' });
  });

  it('is refused for a channel that is not there, unless it says whose files', async () => {
    await expect(say({ cascade: null }, 'canary')).rejects.toMatchObject({ field: 'channel' });
    expect(await say({ routing: KEPT, from: 1 }, 'canary')).toBe(2);
    expect([await served(), await served('canary')]).toEqual([1, 2]);
  });

  it('is asked for with something to say', () => {
    expect(ReleaseRequest.safeParse({}).success).toBe(false);
    expect(ReleaseRequest.safeParse({ channel: 'beta', from: 1 }).success).toBe(false);
    expect(ReleaseRequest.parse({ cascade: { threshold: 0.5 } })).toMatchObject({
      channel: 'stable',
      cascade: { filter: 'threshold', threshold: 0.5 },
    });
    expect(ReleaseRequest.parse({ routing: null }).routing).toBeNull();
  });
});
