import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SENDING_MS } from '../../../core/inference/config.ts';
import { Fault } from '../../../core/errors.ts';
import type { TensorValue } from '../../../core/tensors/tensor.ts';
import { createQueue, dataOf, LIMITS, rows, turn } from './queue-fixture.ts';

const POISON = 666;

function poisonable({ dtype, shape, data }: TensorValue): TensorValue {
  const elements = [...(data as Float32Array)];
  if (elements.includes(POISON)) throw new Fault('invalid', 'the model refuses the inputs: poison');
  return { dtype, shape, data: Float32Array.from(elements, (element) => element * 2) };
}

describe('at low load', () => {
  it('a request alone runs at once: no timer, nothing deferred', async () => {
    const { run, runs, timers, deferred } = await createQueue({ trusted: false });
    for (const value of [1, 2, 3]) {
      const result = await run(rows([value]));
      expect([dataOf(result), result.rows]).toEqual([[value * 2], 1]);
    }
    expect([runs, timers.size, deferred]).toEqual([[1, 1, 1], 0, []]);
  });

  it('waits for one that has begun no longer than the delay, and never again for the same', async () => {
    const { run, begin, runs, advance, timers } = await createQueue();
    begin();
    const first = run(rows([1]));
    await advance(LIMITS.maxDelayMs - 1);
    expect(runs).toEqual([]);
    await advance(1);
    expect(dataOf(await first)).toEqual([2]);
    expect(dataOf(await run(rows([2])))).toEqual([4]);
    expect([runs, timers.size]).toEqual([[1, 1], 0]);
  });

  it('does not wait for those who are on the way to another model, nor with a delay of 0', async () => {
    const other = await createQueue();
    other.begin('another');
    expect(dataOf(await other.run(rows([1])))).toEqual([2]);
    const none = await createQueue({ limits: { ...LIMITS, maxDelayMs: 0 } });
    none.begin();
    expect(dataOf(await none.run(rows([1])))).toEqual([2]);
  });

  it('goes on where those on the way turn out to be refused', async () => {
    const { run, begin, advance, runs } = await createQueue();
    const refused = begin();
    const work = run(rows([1]));
    await turn();
    expect(runs).toEqual([]);
    refused.over();
    expect(dataOf(await work)).toEqual([2]);
    await advance(0);
  });

  it('forgets those who began long ago, though others keep coming', async () => {
    const { run, begin, advance, runs } = await createQueue();
    begin();
    const works = [];
    for (let i = 0; i < 2 * SENDING_MS + 5; i++) {
      works.push(run(rows([i])));
      await advance(1);
    }
    // At first somebody always came while they waited; now nobody is waited for.
    expect(Math.max(...runs.slice(0, 5))).toBeGreaterThan(1);
    expect(runs.at(-1)).toBe(1);
    works.push(run(rows([works.length])));
    expect((await Promise.all(works)).map(dataOf)).toEqual(works.map((_, i) => [2 * i]));
  });
});

describe('a batch', () => {
  it('is run by the last who comes, and each gets its own rows', async () => {
    const { run, begin, runs } = await createQueue();
    const arrivals = [begin(), begin(), begin()];
    const inputs = [rows([1]), rows([2, 3]), rows([4])];
    const results = await Promise.all(inputs.map((each, i) => run(each, arrivals[i])));
    expect(results.map(dataOf)).toEqual([[2], [4, 6], [8]]);
    expect(results.map((result) => result.rows)).toEqual([4, 4, 4]);
    expect(results.map(({ values }) => values['y']!.shape)).toEqual([
      [1, 1],
      [2, 1],
      [1, 1],
    ]);
    expect(runs).toEqual([4]);
  });

  it('has at most the rows and bytes it may, in order of arrival', async () => {
    for (const limits of [
      { ...LIMITS, maxRows: 3 },
      { ...LIMITS, maxRows: 1000, maxBytes: 12 },
    ]) {
      const { run, begin, runs } = await createQueue({ limits: { ...limits } });
      const arrivals = Array.from({ length: 8 }, () => begin());
      const results = await Promise.all(arrivals.map((arrival, i) => run(rows([i]), arrival)));
      expect(results.map(dataOf)).toEqual(arrivals.map((_, i) => [2 * i]));
      expect(Math.max(...runs)).toBe(3);
      expect(runs.reduce((a, b) => a + b)).toBe(8);
    }
  });

  it('leaves a request of more rows whole', async () => {
    const { run, begin, runs } = await createQueue();
    const arrivals = [begin(), begin()];
    const big = Array.from({ length: 20 }, (_, i) => i);
    const results = await Promise.all([run(rows([1]), arrivals[0]), run(rows(big), arrivals[1])]);
    expect(results.map(dataOf)).toEqual([[2], big.map((each) => 2 * each)]);
    expect(runs.toSorted((a, b) => a - b)).toEqual([1, 20]);
  });

  it('holds only what fits: other widths and other outputs run by themselves', async () => {
    const { run, begin, runs } = await createQueue();
    const arrivals = [begin(), begin(), begin(), begin()];
    const results = await Promise.all([
      run(rows([1, 1], 2), arrivals[0]),
      run(rows([2]), arrivals[1]),
      run(rows([3, 3], 2), arrivals[2]),
      run(rows([4]), arrivals[3], Infinity, ['y', 'y']),
    ]);
    expect(results.map(dataOf)).toEqual([[2, 2], [4], [6, 6], [8]]);
    expect(runs.toSorted((a, b) => a - b)).toEqual([1, 1, 2]);
  });

  it('that fails is run one by one: only the bad request fails', async () => {
    const { run, begin, runs } = await createQueue({ compute: poisonable });
    const arrivals = [begin(), begin(), begin()];
    const results = await Promise.allSettled([1, POISON, 3].map((each, i) => run(rows([each]), arrivals[i])));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: { code: 'invalid' } });
    expect(runs).toEqual([3, 1, 1, 1]);
  });

  it('is not lost with those who were cancelled while they waited', async () => {
    const { run, begin, runs, timers, advance } = await createQueue();
    begin();
    const cancelled = run(rows([1]));
    void cancelled;
    await turn();
    // What a cancelled request in a Worker loses: its timer, and whatever it would have done next.
    timers.clear();
    const stays = run(rows([2]));
    await advance(LIMITS.maxDelayMs);
    expect(dataOf(await stays)).toEqual([4]);
    expect(runs).toEqual([2]);
    expect(dataOf(await run(rows([3])))).toEqual([6]);
  });

  it('has a timer set at any moment while it waits: workerd ends a request that has nothing of its own pending', async () => {
    const { run, begin, timers } = await createQueue();
    begin();
    const work = run(rows([1]));
    const [timer] = timers;
    timers.delete(timer!);
    timer!.wake();
    expect(timers.size).toBe(1);
    expect(dataOf(await work)).toEqual([2]);
    expect(timers.size).toBe(0);
  });

  it('waits while the runtime loads another model, and takes all who came meanwhile', async () => {
    const { run, runs, runtime } = await createQueue();
    const loading = runtime.load(new Uint8Array());
    const works = [1, 2, 3].map((each) => run(rows([each])));
    await loading;
    expect((await Promise.all(works)).map(dataOf)).toEqual([[2], [4], [6]]);
    expect(runs).toEqual([3]);
  });

  it('gathers behind a run that takes its time', async () => {
    let finish = () => {};
    const { run, runs } = await createQueue({
      pause: (count) =>
        count === 5 ? new Promise<void>((resolve) => (finish = resolve)) : Promise.resolve(),
    });
    const slow = run(rows([1, 1, 1, 1, 1]));
    const behind = [1, 2, 3].map((each) => run(rows([each])));
    await turn();
    expect(runs).toEqual([5]);
    finish();
    await slow;
    expect((await Promise.all(behind)).map(dataOf)).toEqual([[2], [4], [6]]);
    expect(runs).toEqual([5, 3]);
  });
});

describe('a deadline', () => {
  it('that passed while the request waited ends it uncomputed', async () => {
    const { run, begin, runs, advance } = await createQueue();
    begin();
    const late = run(rows([1]), begin(), 1).catch((thrown: unknown) => thrown);
    const inTime = run(rows([2]));
    await advance(LIMITS.maxDelayMs);
    expect(await late).toMatchObject({ code: 'deadline_exceeded' });
    expect(dataOf(await inTime)).toEqual([4]);
    expect(runs).toEqual([1]);
  });
});

describe('a model whose rows are not independent', () => {
  const models: readonly (readonly [string, (x: Float32Array) => Float32Array])[] = [
    [
      'a softmax over the batch',
      (x) => x.map((each) => Math.exp(each) / x.reduce((sum, other) => sum + Math.exp(other), 0)),
    ],
    [
      'a mean over the batch',
      (x) => x.map((each) => each - x.reduce((sum, other) => sum + other, 0) / x.length),
    ],
    [
      'a scale per tensor',
      (x) => {
        const scale = Math.max(...x.map(Math.abs)) / 127;
        return x.map((each) => Math.round(each / scale) * scale);
      },
    ],
  ];

  it.each(models)('is found out before anything is batched: %s', async (_name, f) => {
    const { run, runs, begin } = await createQueue({
      trusted: false,
      compute: ({ dtype, shape, data }) => ({ dtype, shape, data: f(data as Float32Array) }),
    });
    for (let round = 0; round < 3; round++) {
      const arrivals = Array.from({ length: 4 }, () => begin());
      const inputs = arrivals.map((_, i) => [0.31 + i, 0.77 * i]);
      const results = await Promise.all(inputs.map((each, i) => run(rows(each), arrivals[i])));
      expect(results.map(dataOf)).toEqual(inputs.map((each) => [...f(Float32Array.from(each))]));
    }
    // Twelve requests, and the one trial with its company.
    expect(runs.filter((each) => each === 2)).toHaveLength(12);
    expect(runs.filter((each) => each === 4)).toHaveLength(1);
  });

  it('is not trusted either where its output has another number of rows', async () => {
    const { run, runs, begin } = await createQueue({
      trusted: false,
      compute: ({ dtype, data }) => ({ dtype, shape: [1, 1], data: data.slice(0, 1) }),
    });
    const arrivals = [begin(), begin(), begin()];
    const results = await Promise.all(arrivals.map((arrival, i) => run(rows([i]), arrival)));
    expect(results.map(dataOf)).toEqual([[0], [1], [2]]);
    expect(runs).toEqual([1, 2, 1, 1]);
  });
});

describe('any interleaving', () => {
  it('gives every request what it gets alone', async () => {
    const request = fc.record({
      data: fc.array(
        fc.oneof(
          { weight: 9, arbitrary: fc.integer({ min: -50, max: 50 }) },
          { weight: 1, arbitrary: fc.constant(POISON) },
        ),
        { minLength: 1, maxLength: 4 },
      ),
      width: fc.constantFrom(1, 1, 1, 2),
      /** Turns and milliseconds before it begins, before its body is there. */
      begins: fc.nat(3),
      sends: fc.nat(3),
      fate: fc.constantFrom('stays', 'stays', 'stays', 'vanishes'),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(request, { minLength: 1, maxLength: 14 }),
        fc.boolean(),
        async (requests, slow) => {
          const queue = await createQueue({ compute: poisonable, ...(slow ? { pause: turn } : {}) });
          const answers = requests.map(async ({ data, width, begins, sends, fate }) => {
            const values = data.length % width === 0 ? data : [...data, 0];
            for (let i = 0; i < begins; i++) await turn();
            const arrival = queue.begin();
            if (fate === 'vanishes') return;
            for (let i = 0; i < sends; i++) await turn();
            const expected = values.includes(POISON) ? 'invalid' : values.map((each) => each * 2);
            const actual = await queue
              .run(rows(values, width), arrival)
              .then(dataOf, (thrown: Fault) => thrown.code);
            expect(actual).toEqual(expected);
          });
          const all = { done: false };
          const finished = Promise.all(answers).then(() => (all.done = true));
          for (let i = 0; i < 200 && !all.done; i++) await queue.advance(1);
          expect(all.done).toBe(true);
          await finished;
          expect(Math.max(...queue.runs)).toBeLessThanOrEqual(LIMITS.maxRows);
        },
      ),
      { numRuns: 300 },
    );
  });
});
