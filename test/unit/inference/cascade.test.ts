import { describe, expect, it } from 'vitest';
import { CascadeSpec } from '../../../core/contracts/cascade.ts';
import { EDGE_CONFIG } from '../../../core/inference/config.ts';
import {
  hardExampleLimits,
  type HardExampleLimits,
  LARGEST_EXAMPLE_BYTES,
} from '../../../core/inference/hard-examples.ts';
import { decodeSafetensors } from '../../../core/tensors/safetensors.ts';
import { createFixture, type Fixture, release } from './fixture.ts';
import { createQueue, rows } from './queue-fixture.ts';

const CASCADE = CascadeSpec.parse({ threshold: 0.9, large: { model: 'big', version: 2 } });

/** The model answers with its input: rows of two probabilities. */
async function served(kept?: HardExampleLimits): Promise<Fixture> {
  const fixture = createFixture(kept === undefined ? {} : { kept });
  const same = { factor: 1 };
  await release(fixture.store, 'plain', same, 'stable', { ...same, size: 99 });
  await release(fixture.store, 'small', same, 'stable', undefined, { cascade: CASCADE });
  await release(fixture.store, 'lone', same, 'stable', undefined, {
    cascade: CascadeSpec.parse({ threshold: 0.9 }),
  });
  return fixture;
}

async function ask({ app }: Fixture, model: string, data: number[], cascade?: string) {
  const response = await app.request(`/v2/models/${model}/infer`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(cascade === undefined ? {} : { 'x-causeway-cascade': cascade }),
    },
    body: JSON.stringify({ inputs: [{ name: 'x', shape: [data.length / 2, 2], datatype: 'FP32', data }] }),
  });
  const { headers, status } = response;
  return {
    status,
    hard: headers.get('x-causeway-hard'),
    large: headers.get('x-causeway-large'),
    body: (await response.json()) as { error?: string; field?: string },
  };
}

const SURE = [0.95, 0.05];
const UNSURE = [0.25, 0.75];

describe('a target', () => {
  it('says which rows of its answer are hard, where the release has a cascade', async () => {
    const fixture = await served();
    expect(await ask(fixture, 'small', [...SURE, ...UNSURE, ...SURE])).toMatchObject({
      hard: '1',
      large: 'big/2',
    });
    expect(await ask(fixture, 'small', SURE)).toMatchObject({ hard: 'none' });
    expect(await ask(fixture, 'small', UNSURE)).toMatchObject({ hard: 'all' });
    expect(await ask(fixture, 'plain', UNSURE)).toMatchObject({ status: 200, hard: null, large: null });
  });

  it('says nothing of an answer whose release keeps its requests from the cloud, whatever the request says', async () => {
    const fixture = await served({ share: 1, perMinute: 10 });
    for (const [model, exclude] of [
      ['stays', ['cloud']],
      ['travels', ['cloud-eu']],
    ] as const)
      await release(fixture.store, model, { factor: 1 }, 'stable', undefined, {
        cascade: CASCADE,
        routing: { exclude: [...exclude] },
      });
    for (const cascade of [undefined, 'threshold=0.99, large=big'])
      expect(await ask(fixture, 'stays', UNSURE, cascade)).toMatchObject({
        status: 200,
        hard: null,
        large: null,
      });
    await Promise.all(fixture.deferred);
    expect((await fixture.store.list('hard-examples/')).objects).toEqual([]);
    expect(await ask(fixture, 'travels', UNSURE)).toMatchObject({ hard: 'all', large: 'big/2' });
  });

  it('goes by what the request says', async () => {
    const fixture = await served();
    expect(await ask(fixture, 'small', UNSURE, 'off')).toMatchObject({ status: 200, hard: null });
    expect(await ask(fixture, 'small', UNSURE, 'threshold=0.7')).toMatchObject({
      hard: 'none',
      large: 'big/2',
    });
    expect(await ask(fixture, 'plain', UNSURE, 'margin=0.6')).toMatchObject({ hard: 'all', large: null });
    expect(await ask(fixture, 'plain', UNSURE, 'threshold=2')).toMatchObject({
      status: 400,
      body: { field: 'x-causeway-cascade' },
    });
    expect(await ask(fixture, 'plain', UNSURE, 'threshold=0.5,output=z')).toMatchObject({
      status: 422,
      body: { field: 'cascade.output' },
    });
  });

  it('refuses to judge what are no probabilities', async () => {
    const { status, body } = await ask(await served(), 'small', [3, 4]);
    expect([status, body.field]).toEqual([422, 'cascade.scores']);
  });

  it('says nothing where there is no larger variant than its own', async () => {
    // The edge has the 8-bit variant of `plain`; `lone` has none.
    expect(await ask(await served(), 'lone', UNSURE)).toMatchObject({ status: 200, hard: null });
  });
});

describe('part of a request', () => {
  type Queue = Awaited<ReturnType<typeof createQueue>>;
  const part = ({ run, begin }: Queue, data: number[]) => run(rows(data), begin(), Infinity, ['y'], true);

  it('is answered by a model whose rows are tried and do not change each other, once', async () => {
    const queue = await createQueue({ trusted: false });
    expect(await part(queue, [1, 2])).toMatchObject({ independent: true });
    expect(queue.runs).toEqual([2, 4]);
    expect(await part(queue, [3])).toMatchObject({ independent: true });
    expect(queue.runs).toEqual([2, 4, 1]);
  });

  it('is known to be wrong where a row changes the others', async () => {
    const centred = await createQueue({
      trusted: false,
      compute(x) {
        const data = x.data as Float32Array;
        const mean = data.reduce((sum, each) => sum + each, 0) / data.length;
        return { ...x, data: data.map((each) => each - mean) };
      },
    });
    expect(await part(centred, [1, 2])).toMatchObject({ independent: false });
  });

  it('is refused over HTTP with the way out', async () => {
    const fixture = createFixture({ config: { batching: { ...EDGE_CONFIG.batching, maxRows: 1 } } });
    await release(fixture.store, 'plain', { factor: 1 });
    const { status, body } = await ask(fixture, 'plain', UNSURE, 'part');
    expect([status, body.field]).toEqual([422, 'x-causeway-cascade']);
    expect(body.error).toContain('rows of plain change each other');
  });
});

describe('hard examples', () => {
  const keys = async ({ store }: Fixture) =>
    (await store.list('hard-examples/')).objects.map(({ key }) => key);
  const kept = async (fixture: Fixture, model: string, data: number[]) => {
    await ask(fixture, model, data);
    await Promise.all(fixture.deferred);
    return keys(fixture);
  };

  it('are kept with what the model made of them, once a day', async () => {
    const fixture = await served({ share: 1, perMinute: 10 });
    fixture.time.now = Date.parse('2026-01-31T12:00:00Z');
    expect(await kept(fixture, 'small', [...SURE, ...UNSURE, ...SURE])).toHaveLength(1);
    const [key] = await kept(fixture, 'small', [...SURE, ...UNSURE, ...SURE]);
    expect(await keys(fixture)).toEqual([key]);
    expect(key).toMatch(/^hard-examples\/small\/2026-01-31\/[0-9a-f]{64}\.safetensors$/);
    const { tensors, metadata } = decodeSafetensors((await fixture.store.get(key!))!.body);
    const row = { dtype: 'F32', shape: [1, 2], data: Float32Array.from(UNSURE) };
    expect(Object.fromEntries(tensors)).toEqual({
      x: row,
      'hard.scores': row,
      'hard.confidence': { dtype: 'F32', shape: [1], data: Float32Array.of(0.75) },
    });
    expect(metadata).toEqual({
      v: '1',
      model: 'small',
      release: '1',
      variant: 'fp32',
      filter: 'threshold',
      threshold: '0.9',
      output: 'y',
      scores: 'probabilities',
    });
  });

  it('are not kept without being asked for, nor easy ones, nor without a cascade', async () => {
    expect(await kept(await served(), 'small', UNSURE)).toEqual([]);
    const fixture = await served({ share: 1, perMinute: 10 });
    expect(await kept(fixture, 'small', SURE)).toEqual([]);
    expect(await kept(fixture, 'plain', UNSURE)).toEqual([]);
  });

  it('are a sample', async () => {
    // The fixture's random number is 0.5.
    expect(await kept(await served({ share: 0.5, perMinute: 10 }), 'small', UNSURE)).toEqual([]);
    expect(await kept(await served({ share: 0.6, perMinute: 10 }), 'small', UNSURE)).toHaveLength(1);
  });

  it('are so many a minute and no more', async () => {
    const fixture = await served({ share: 1, perMinute: 2 });
    const unlike = (i: number) => [0.5 + i / 100, 0.5 - i / 100];
    for (let i = 0; i < 5; i++) await ask(fixture, 'small', unlike(i));
    expect(await kept(fixture, 'small', unlike(5))).toHaveLength(2);
    fixture.time.now += 60_000;
    expect(await kept(fixture, 'small', unlike(6))).toHaveLength(3);
  });

  it('are rows as far as they fit into a file', async () => {
    const fixture = await served({ share: 1, perMinute: 2 });
    // 8 bytes of input and 8 of scores each.
    const fit = LARGEST_EXAMPLE_BYTES / 16;
    const [key] = await kept(fixture, 'small', Array.from({ length: fit + 10 }, () => UNSURE).flat());
    const { tensors } = decodeSafetensors((await fixture.store.get(key!))!.body);
    expect(tensors.get('x')!.shape).toEqual([fit, 2]);
  });

  it('cost no answer where they cannot be stored', async () => {
    const fixture = await served({ share: 1, perMinute: 2 });
    fixture.store.before = (operation) => {
      if (operation === 'put') throw new Error('full');
    };
    expect((await ask(fixture, 'small', UNSURE)).status).toBe(200);
    await Promise.all(fixture.deferred);
    expect(fixture.reported).toEqual([new Error('full')]);
  });

  it('are configured by two variables', () => {
    expect(hardExampleLimits({})).toBeUndefined();
    expect(hardExampleLimits({ CAUSEWAY_HARD_EXAMPLES: '' })).toBeUndefined();
    expect(hardExampleLimits({ CAUSEWAY_HARD_EXAMPLES: '0.1' })).toEqual({ share: 0.1, perMinute: 60 });
    expect(
      hardExampleLimits({ CAUSEWAY_HARD_EXAMPLES: '1', CAUSEWAY_HARD_EXAMPLES_PER_MINUTE: '5' }),
    ).toEqual({ share: 1, perMinute: 5 });
    for (const wrong of ['2', '-1', 'all'])
      expect(() => hardExampleLimits({ CAUSEWAY_HARD_EXAMPLES: wrong })).toThrow('CAUSEWAY_HARD_EXAMPLES is');
    expect(() =>
      hardExampleLimits({ CAUSEWAY_HARD_EXAMPLES: '1', CAUSEWAY_HARD_EXAMPLES_PER_MINUTE: '1.5' }),
    ).toThrow('PER_MINUTE is 1.5');
  });
});
