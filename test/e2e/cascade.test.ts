/** A cascade on the real stack: small models in workerd, larger ones in the cloud's function, hard rows in the bucket. */
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { CascadeSpec } from '../../core/contracts/cascade.ts';
import { Explanation } from '../../core/contracts/explanation.ts';
import { decodeSafetensors } from '../../core/tensors/safetensors.ts';
import { type CascadeFixture, publish, startCascade } from './cascade-fixture.ts';
import { hang } from './router-fixture.ts';

let stack: CascadeFixture;
beforeAll(async () => {
  stack = await startCascade({ CAUSEWAY_HARD_EXAMPLES: '1' });
  const { store } = stack;
  const cascade = (large: string) => CascadeSpec.parse({ threshold: 0.9, large: { model: large } });
  await publish(store, 'small', { fp32: 'plain' }, cascade('large'));
  await publish(store, 'to-dependent', { fp32: 'plain' }, cascade('dependent'));
  await publish(store, 'to-nothing', { fp32: 'plain' }, cascade('nothing'));
  await publish(store, 'to-kept', { fp32: 'plain' }, cascade('kept'));
  await publish(store, 'kept', { fp32: 'turned' }, undefined, { exclude: ['cloud'] });
  await publish(store, 'large', { fp32: 'turned' });
  await publish(store, 'dependent', { fp32: 'over-rows' });
  await publish(store, 'variants', { int8: 'plain', fp32: 'turned' });
  // From an answer the router learns that there is a cascade, and begins at the edge then.
  for (const model of ['small', 'to-dependent', 'to-nothing']) await ask(model, [EASY]);
  const patiently = { 'x-causeway-target': 'cloud', 'x-causeway-deadline-ms': '50000' };
  for (const model of ['large', 'dependent', 'variants'])
    expect((await ask(model, [EASY], patiently)).said).toBe('200 cloud - -');
});
afterAll(() => stack?.stop());
beforeEach(() => {
  stack.wire.answer = stack.passOn;
  stack.wire.requests.length = 0;
});

/** Softmax [0.993, 0.007] and [0.525, 0.475]; turned, the other way round. */
const EASY = [5, 0];
const HARD = [0.1, 0];
const softmax = ([a, b]: readonly number[]) => {
  const [p, q] = [Math.exp(a!), Math.exp(b!)];
  return [p / (p + q), q / (p + q)];
};
const small = softmax;
const large = ([a, b]: readonly number[]) => softmax([-a!, -b!]);

async function ask(model: string, rows: number[][], headers: Record<string, string> = {}, query = '') {
  const response = await fetch(`${stack.url}/v2/models/${model}/infer${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({
      inputs: [{ name: 'x', shape: [rows.length, 2], datatype: 'FP32', data: rows.flat() }],
    }),
  });
  const text = (name: string) => response.headers.get(`x-causeway-${name}`) ?? '-';
  const body = (await response.json()) as {
    error?: string;
    outputs?: { data: number[] }[];
    explanation?: unknown;
  };
  return {
    said: `${response.status} ${text('target')} ${text('degraded')} ${text('hard')}`,
    body,
    data: body.outputs?.[0]?.data ?? [],
  };
}

function close(data: readonly number[], rows: readonly (readonly number[])[]) {
  const expected = rows.flat();
  expect(data).toHaveLength(expected.length);
  data.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
}

describe('a cascade of a release', () => {
  test('answers easy rows at the edge and asks the cloud nothing', async () => {
    const { said, data } = await ask('small', [EASY, EASY]);
    expect(said).toBe('200 edge - none');
    close(data, [small(EASY), small(EASY)]);
    expect(stack.wire.requests).toEqual([]);
  });

  test('has the larger model answer a hard request', async () => {
    const { said, data } = await ask('small', [HARD]);
    expect(said).toBe('200 cloud - all');
    close(data, [large(HARD)]);
    expect(stack.wire.requests.map(({ path }) => path)).toEqual(['/v2/models/large/infer']);
  });

  test('sends the hard rows of a batch only, and merges', async () => {
    const { said, data } = await ask('small', [EASY, HARD, EASY, HARD]);
    expect(said).toBe('200 cloud - 1,3');
    close(data, [small(EASY), large(HARD), small(EASY), large(HARD)]);
    const [sent] = stack.wire.requests;
    expect(JSON.parse(String(sent!.body))).toMatchObject({
      inputs: [{ shape: [2, 2], data: [...HARD, ...HARD] }],
    });
  });

  test('asks a model whose rows depend on each other about all of them', async () => {
    const { said, data } = await ask('to-dependent', [EASY, HARD]);
    expect(said).toBe('200 cloud - 1');
    const columns = [softmax([EASY[0]!, HARD[0]!]), softmax([EASY[1]!, HARD[1]!])];
    close(data, [
      [columns[0]![0]!, columns[1]![0]!],
      [columns[0]![1]!, columns[1]![1]!],
    ]);
    expect(stack.wire.requests).toHaveLength(2);
  });

  test('gives way to the request’s own', async () => {
    expect((await ask('small', [HARD], { 'x-causeway-cascade': 'off' })).said).toBe('200 edge - -');
    expect((await ask('small', [HARD], { 'x-causeway-cascade': 'threshold=0.5' })).said).toBe(
      '200 edge - none',
    );
    expect((await ask('small', [HARD], { 'x-causeway-target': 'edge' })).said).toBe('200 edge - -');
    const wrong = await ask('small', [HARD], { 'x-causeway-cascade': 'threshold=9' });
    expect([wrong.said, wrong.body.error]).toEqual([
      '400 edge - -',
      expect.stringContaining('x-causeway-cascade: threshold'),
    ]);
  });
});

describe('a cascade of a request', () => {
  test('goes from the 8-bit variant at the edge to the other one in the cloud', async () => {
    const cascade = { 'x-causeway-cascade': 'entropy=0.5' };
    expect((await ask('variants', [EASY], cascade)).said).toBe('200 edge-int8 - none');
    const { said, data } = await ask('variants', [HARD, EASY], cascade);
    expect(said).toBe('200 cloud - 0');
    close(data, [large(HARD), small(EASY)]);
  });

  test('goes to the model it names', async () => {
    const { said, data } = await ask('variants', [HARD], {
      'x-causeway-cascade': 'margin=0.9, large=large/1',
    });
    expect(said).toBe('200 cloud - all');
    close(data, [large(HARD)]);
    expect(stack.wire.requests.map(({ path }) => path)).toEqual(['/v2/models/large/versions/1/infer']);
  });
});

describe('the edge’s answer, degraded', () => {
  test('where the larger model does not answer before the deadline', async () => {
    stack.wire.answer = hang;
    const { said, data, body } = await ask(
      'small',
      [HARD],
      { 'x-causeway-deadline-ms': '800' },
      '?explain=1',
    );
    expect(said).toBe('200 edge deadline all');
    close(data, [small(HARD)]);
    // By the router's own clock: how late a timer rings, and an answer is read here, is the machine's to say.
    const [, cloud] = Explanation.parse(body.explanation).attempts;
    expect(cloud).toMatchObject({ target: 'cloud', reason: 'hard', result: 'timeout' });
    // A tenth of what was left is kept for the answer, 50 ms at most.
    expect(cloud!.limitMs).toBeLessThanOrEqual(0.94 * (800 - cloud!.atMs));
  });

  test('where the larger model’s release keeps its requests at the edge', async () => {
    expect((await ask('to-kept', [HARD])).said).toBe('200 edge no-cloud all');
    expect(stack.wire.requests).toEqual([]);
  });

  test('where there is no such model', async () => {
    expect((await ask('to-nothing', [EASY, HARD])).said).toBe('200 edge cloud-refused 1');
  });

  test('where the cloud is dead, and not once it lives again', async () => {
    await stack.wire.die();
    const dead = await ask('small', [EASY, HARD]);
    expect(dead.said).toBe('200 edge cloud-failed 1');
    close(dead.data, [small(EASY), small(HARD)]);
    await stack.wire.revive();
    expect((await ask('small', [EASY, HARD])).said).toBe('200 cloud - 1');
  });
});

describe('hard examples', () => {
  test('are in the bucket, and no others', async () => {
    const row = [0.25, 0.125];
    await ask('small', [EASY, row]);
    const rows = async () => {
      const { objects } = await stack.store.list('hard-examples/small/');
      const files = await Promise.all(objects.map(({ key }) => stack.store.get(key)));
      return files.map((file) => decodeSafetensors(file!.body).tensors.get('x')!);
    };
    await vi.waitFor(
      async () =>
        expect(await rows()).toContainEqual({ dtype: 'F32', shape: [1, 2], data: Float32Array.from(row) }),
      { timeout: 10_000, interval: 50 },
    );
    expect((await rows()).some(({ data }) => data.includes(EASY[0] as never))).toBe(false);
    expect((await stack.store.list('hard-examples/large/')).objects).toEqual([]);
  });
});
