/** The app under load: batches, a full queue, deadlines. */
import { describe, expect, it } from 'vitest';
import { EDGE_CONFIG } from '../../../core/inference/config.ts';
import { serialized } from '../../../core/inference/serialized.ts';
import { createFixture, factorOf, infer, release } from './fixture.ts';

const batching = { ...EDGE_CONFIG.batching, worthWaitingBytes: 0, maxDelayMs: 50 };
const together = (count: number, ask: (index: number) => ReturnType<typeof infer>) =>
  Promise.all(Array.from({ length: count }, (_, index) => ask(index)));

const batchOf = ({ headers }: Awaited<ReturnType<typeof infer>>) => Number(headers.get('x-causeway-batch'));

function countRuns(fixture: ReturnType<typeof createFixture>) {
  const counted = { runs: 0 };
  fixture.runtime.pause = (operation) => void (counted.runs += operation === 'run' ? 1 : 0);
  return counted;
}

describe('requests at once', () => {
  it('run as batches, and say so', async () => {
    const fixture = createFixture({ config: { batching }, wrap: serialized });
    await release(fixture.store, 'm', { factor: 3 });
    const counted = countRuns(fixture);
    expect(batchOf(await infer(fixture.app, 'm'))).toBe(1);
    for (let round = 0; round < 2; round++) {
      counted.runs = 0;
      const answers = await together(40, () => infer(fixture.app, 'm'));
      expect(answers.map(factorOf)).toEqual(answers.map(() => 3));
      expect(Math.max(...answers.map(batchOf))).toBe(batching.maxRows);
      expect(counted.runs).toBeLessThan(6);
    }
    expect(batchOf(await infer(fixture.app, 'm'))).toBe(1);
  });

  it('do not wait for each other where the model is small', async () => {
    for (const [worthWaitingBytes, waits] of [
      [1e6, false],
      [1, true],
    ] as const) {
      const fixture = createFixture({ config: { batching: { ...batching, worthWaitingBytes } } });
      await release(fixture.store, 'm', { factor: 3 });
      await infer(fixture.app, 'm');
      await together(10, () => infer(fixture.app, 'm'));
      expect(fixture.waits.includes(batching.maxDelayMs)).toBe(waits);
    }
  });

  it('run one by one where it is told so', async () => {
    const fixture = createFixture({ config: { batching: { ...batching, maxRows: 1 } } });
    await release(fixture.store, 'm', { factor: 3 });
    await infer(fixture.app, 'm');
    const counted = countRuns(fixture);
    await together(10, () => infer(fixture.app, 'm'));
    expect(counted.runs).toBe(10);
    expect(fixture.waits).not.toContain(batching.maxDelayMs);
  });

  it('of an int8 variant run one by one, unless it is told otherwise', async () => {
    for (const [variants, runs] of [
      [['fp32'], 10],
      [['fp32', 'int8'], 3],
    ] as const) {
      const fixture = createFixture({ config: { batching: { ...batching, variants } }, wrap: serialized });
      await release(fixture.store, 'm', { factor: 3 }, 'stable', { factor: 8 });
      await infer(fixture.app, 'm');
      const counted = countRuns(fixture);
      const answers = await together(10, () => infer(fixture.app, 'm'));
      expect(answers.map(factorOf)).toEqual(answers.map(() => 8));
      expect(counted.runs).toBe(runs);
    }
  });
});

describe('a direct call', () => {
  const body = (data: unknown) =>
    new TextEncoder().encode(
      JSON.stringify({ inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data }] }),
    );
  const call = { model: 'm', version: undefined, deadlineMs: 1_000, ticket: 't' };

  it.each([
    ['an answer', [1, 1], 200],
    ['a refusal', [1, 'x'], 400],
  ])('has for %s what HTTP would say', async (_what, data, status) => {
    const { store, app, serving } = createFixture();
    await release(store, 'm', { factor: 3 });
    const overHttp = await app.request('/v2/models/m/infer', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: body(data),
    });
    const reply = await serving.directly({ ...call, body: body(data) }, () => {});
    expect([overHttp.status, reply.status]).toEqual([status, status]);
    expect(JSON.parse(reply.body)).toEqual(await overHttp.json());
    expect(Object.keys(reply.headers).toSorted()).toEqual([...overHttp.headers.keys()].toSorted());
  });

  it('is not computed once nobody waits for it, and is counted out again', async () => {
    const fixture = createFixture({ wrap: serialized });
    await release(fixture.store, 'm', { factor: 3 });
    let open = () => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    fixture.runtime.pause = () => gate;
    const ask = (ticket: string) =>
      fixture.serving.directly({ ...call, ticket, body: body([1, 1]) }, () => {});
    const first = ask('first');
    const second = ask('second');
    await new Promise((resolve) => setTimeout(resolve, 20));
    fixture.serving.cancel('second');
    fixture.serving.cancel('nobody’s');
    open();
    expect((await first).status).toBe(200);
    expect(await second).toMatchObject({ status: 503, body: expect.stringContaining('went away') });
    expect((await ask('third')).headers['x-causeway-in-flight']).toBe('1');
  });
});

describe('a full queue', () => {
  it('refuses the next at once with 503 and Retry-After, and takes requests again when it is drained', async () => {
    const fixture = createFixture({ config: { queueLimit: 4 }, wrap: serialized });
    await release(fixture.store, 'm', { factor: 3 });
    let open = () => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    fixture.runtime.pause = () => gate;
    const waiting = together(4, () => infer(fixture.app, 'm'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const refused = await infer(fixture.app, 'm');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect(refused.body.error).toBe('4 requests are waiting here, as many as may');
    open();
    expect((await waiting).map(factorOf)).toEqual([3, 3, 3, 3]);
    expect((await infer(fixture.app, 'm')).status).toBe(200);
    expect(fixture.reported).toEqual([]);
  });

  it('is no wider for those who begin together', async () => {
    const fixture = createFixture({ config: { queueLimit: 4 } });
    await release(fixture.store, 'm', { factor: 3 });
    const statuses = (await together(10, () => infer(fixture.app, 'm'))).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(4);
    expect(statuses.filter((status) => status === 503)).toHaveLength(6);
  });
});

describe('x-causeway-deadline-ms', () => {
  it('is the time left: a request that waited longer is answered 504 and not computed', async () => {
    const fixture = createFixture({ wrap: serialized });
    await release(fixture.store, 'm', { factor: 3 });
    let runs = 0;
    fixture.runtime.pause = (operation) => {
      if (operation === 'load') fixture.time.now += 200;
      else runs += 1;
    };
    const [late, inTime] = await Promise.all(
      ['199', '201'].map((ms) => infer(fixture.app, 'm', { 'x-causeway-deadline-ms': ms })),
    );
    expect(late).toMatchObject({ status: 504, body: { code: 'deadline_exceeded' } });
    expect(inTime!.status).toBe(200);
    expect([runs, fixture.reported]).toEqual([1, []]);
  });

  it.each(['-1', '1.5', 'soon', ''])('%j: 400', async (text) => {
    const fixture = createFixture();
    await release(fixture.store, 'm', { factor: 3 });
    const answer = await infer(fixture.app, 'm', { 'x-causeway-deadline-ms': text });
    expect(answer).toMatchObject({ status: 400, body: { field: 'x-causeway-deadline-ms' } });
  });
});
