import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ParameterSlot, TrainSpec } from '../../../core/contracts/job.ts';
import { createOptimizer } from '../../../core/optimizers/optimizer.ts';
import { createRandom } from '../../../core/random.ts';
import { checkStrategy } from '../../../core/strategies/check.ts';
import { decodeUpdate, encodeUpdate, noResidual } from '../../../core/strategies/files.ts';
import { slicesOf } from '../../../core/strategies/slices.ts';
import type { MergeRound, Update } from '../../../core/strategies/strategy.ts';
import { strategyOf } from '../../../core/strategies/table.ts';
import { sumTraffic, trafficOf } from '../../../core/strategies/traffic.ts';

const specOf = (change: object): TrainSpec =>
  TrainSpec.parse({
    kind: 'train',
    model: { name: 'm', graph: '0'.repeat(64) },
    dataset: { name: 'd' },
    loss: { kind: 'softmax-cross-entropy', output: 'p', target: 'y' },
    ...change,
  });

const LAYOUT: ParameterSlot[] = [
  { name: 'w', shape: [7, 9], offset: 0, length: 63 },
  { name: 'mean', shape: [5], offset: 63, length: 5, assigned: true },
];
const LENGTH = 68;
const TRAINED = 63;

function roundFor(spec: TrainSpec, seed = 1): MergeRound {
  const random = createRandom(seed);
  const vector = () => Float32Array.from({ length: LENGTH }, random.normal);
  const { sends, slots } = strategyOf(spec);
  const names = sends === 'state' ? ['parameters', ...slots] : [sends];
  const state = {
    parameters: vector(),
    slots: Object.fromEntries(slots.map((slot) => [slot, vector().map(Math.abs)])),
  };
  const updates = [3, 0, 5].map((shard): Update => ({
    shard,
    samples: 10 + shard,
    count: 40 - shard,
    vectors: Object.fromEntries(names.map((name) => [name, vector()])),
  }));
  return { state, updates, trained: TRAINED, step: 4, steps: 10 };
}

function cut(round: MergeRound, { start, end, trained }: ReturnType<typeof slicesOf>[number]): MergeRound {
  const all = (vectors: Readonly<Record<string, Float32Array<ArrayBuffer>>>) =>
    Object.fromEntries(Object.entries(vectors).map(([name, vector]) => [name, vector.slice(start, end)]));
  return {
    ...round,
    trained,
    state: { parameters: round.state.parameters.slice(start, end), slots: all(round.state.slots) },
    updates: round.updates.map((update) => ({ ...update, vectors: all(update.vectors) })),
  };
}

const STRATEGIES: [string, object][] = [
  ['all-reduce with adam', { strategy: { kind: 'all-reduce' } }],
  ['local SGD', { strategy: { kind: 'local-sgd' } }],
  ['local SGD with adam reset', { strategy: { kind: 'local-sgd', optimizerState: 'reset' } }],
  ['DiLoCo', { strategy: { kind: 'diloco' } }],
  ['bounded staleness', { strategy: { kind: 'bounded-staleness', staleness: 3, outer: { momentum: 0.5 } } }],
];

describe.each(STRATEGIES)('%s', (_, change) => {
  const spec = specOf(change);
  const strategy = strategyOf(spec);

  test('merged in slices is merged whole, to the bit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 80 }), fc.nat(), (mergers, seed) => {
        const round = roundFor(spec, seed);
        const whole = strategy.merge(round);
        for (const slice of slicesOf(LAYOUT, mergers)) {
          const merged = strategy.merge(cut(round, slice));
          expect(merged.parameters).toEqual(whole.parameters.slice(slice.start, slice.end));
          for (const slot of strategy.slots)
            expect(merged.slots[slot]).toEqual(whole.slots[slot]!.slice(slice.start, slice.end));
        }
      }),
      { numRuns: 30 },
    );
  });

  test('does not depend on the order of the updates, and leaves the state before as it was', () => {
    const round = roundFor(spec);
    const before = structuredClone(round.state);
    const merged = strategy.merge(round);
    expect(strategy.merge({ ...round, updates: round.updates.toReversed() })).toEqual(merged);
    expect(round.state).toEqual(before);
    expect(merged.parameters).not.toEqual(before.parameters);
  });

  test('takes the mean of what is assigned by rows', () => {
    const { updates, ...round } = roundFor(spec);
    const name = strategy.sends === 'state' ? 'parameters' : strategy.sends;
    const rows = updates.reduce((sum, { samples }) => sum + samples, 0);
    const expected = updates.reduce(
      (sum, { samples, vectors }) => sum + (samples / rows) * vectors[name]![LENGTH - 1]!,
      0,
    );
    expect(strategy.merge({ ...round, updates }).parameters.at(-1)).toBeCloseTo(expected, 6);
  });

  test.each([NaN, Infinity])('refuses %s and names the shard', (bad) => {
    const round = roundFor(spec);
    for (const vector of Object.values(round.updates[2]!.vectors)) vector[7] = bad;
    expect(() => strategy.merge(round)).toThrow(/shard 5 is not finite/);
  });
});

describe('the merge', () => {
  test("of all-reduce is the optimizer's step along the mean gradient by what is counted", () => {
    const spec = specOf({ strategy: { kind: 'all-reduce' }, schedule: 'linear' });
    const round = roundFor(spec);
    const total = round.updates.reduce((sum, { count }) => sum + count, 0);
    const gradient = Float32Array.from({ length: TRAINED }, (_, i) =>
      [...round.updates]
        .sort((a, b) => a.shard - b.shard)
        .reduce((sum, { count, vectors }) => sum + (count / total) * vectors['gradient']![i]!, 0),
    );
    const parameters = round.state.parameters.slice(0, TRAINED);
    const slots = round.state.slots;
    const state = { m: slots['m']!.slice(0, TRAINED), v: slots['v']!.slice(0, TRAINED) };
    createOptimizer(spec.optimizer).update({
      parameters,
      gradient,
      state,
      step: 4,
      learningRate: 0.001 * (5 / 9),
    });
    const merged = strategyOf(spec).merge(round);
    expect(merged.parameters.slice(0, TRAINED)).toEqual(parameters);
    expect(merged.slots['v']!.slice(0, TRAINED)).toEqual(state.v);
  });

  test('of DiLoCo is an outer step with Nesterov momentum', () => {
    const strategy = strategyOf(specOf({ strategy: { kind: 'diloco' } }));
    expect(strategy.slots).toEqual(['outer.momentum']);
    const change = Float32Array.of(1, -2);
    let state = {
      parameters: Float32Array.of(10, 10),
      slots: { 'outer.momentum': new Float32Array(2) } as Record<string, Float32Array<ArrayBuffer>>,
    };
    const round = { trained: 2, step: 0, steps: 100 };
    const updates = [{ shard: 0, samples: 1, count: 1, vectors: { change } }];
    for (let i = 0; i < 2; i++) state = { ...strategy.merge({ ...round, state, updates }) };
    // u: d, then 1.9 d; θ: −0.7 (1 + 0.9) d, then −0.7 (1 + 0.9 · 1.9) d.
    expect(state.parameters[0]).toBeCloseTo(10 - 0.7 * (1.9 + 2.71), 5);
    expect(state.parameters[1]).toBeCloseTo(10 + 2 * 0.7 * (1.9 + 2.71), 5);
    expect(state.slots['outer.momentum']![0]).toBeCloseTo(1.9, 6);
  });

  test('of bounded staleness goes as much less far as there are rounds under way', () => {
    const strategy = strategyOf(specOf({ strategy: { kind: 'bounded-staleness', staleness: 3 } }));
    expect(strategy).toMatchObject({ staleness: 3, slots: [] });
    const state = { parameters: Float32Array.of(1), slots: {} };
    const vectors = { change: Float32Array.of(0.5) };
    const updates = [{ shard: 0, samples: 1, count: 1, vectors }];
    const merged = strategy.merge({ state, updates, trained: 1, step: 0, steps: 9 });
    expect(merged.parameters[0]).toBe(1 - 0.5 / 4);
  });

  test('of all-reduce clips the mean, not what it is made of', () => {
    const round = roundFor(specOf({ strategy: { kind: 'all-reduce' } }));
    const sgd = { optimizer: { kind: 'sgd', learningRate: 1 }, strategy: { kind: 'all-reduce' } };
    const { parameters } = strategyOf(specOf({ ...sgd, clipNorm: 0.25 })).merge(round);
    const moved = parameters.subarray(0, TRAINED).map((value, i) => value - round.state.parameters[i]!);
    expect(Math.hypot(...moved)).toBeCloseTo(0.25, 5);
  });
});

describe('an update', () => {
  const compressions: [string, object | undefined][] = [
    ['as it is', undefined],
    ['in fp16', { values: 'fp16' }],
    ['in int8', { values: 'int8' }],
    ['of the largest', { topK: { fraction: 0.1 } }],
    ['of the largest in int8', { topK: { fraction: 0.1 }, values: 'int8' }],
  ];
  test.each(compressions)('%s arrives, in slices too, with what is assigned exact', (_, compression) => {
    const strategy = strategyOf(specOf({ strategy: { kind: 'diloco' }, compression }));
    const random = createRandom(2);
    const change = Float32Array.from({ length: LENGTH }, random.normal);
    for (const mergers of [1, 4]) {
      const slices = slicesOf(LAYOUT, mergers);
      const residual = strategy.compression?.errorFeedback === true ? noResidual(LENGTH) : undefined;
      const files = encodeUpdate({ shard: 0, vectors: { change } }, residual, strategy, slices);
      const arrived = files.flatMap((tensors, i) => [
        ...decodeUpdate(new Map(Object.entries(tensors)), strategy, slices[i]!)['change']!,
      ]);
      expect(arrived).toHaveLength(LENGTH);
      expect(arrived.slice(TRAINED)).toEqual([...change.subarray(TRAINED)]);
      const sum = arrived.map((value, i) => value + (residual?.error[i] ?? 0));
      // With momentum correction the first change is 1.9 times as large: Nesterov's looks ahead.
      const factor = strategy.compression?.momentum === undefined ? 1 : 1.9;
      for (let i = 0; i < TRAINED; i++) expect(sum[i]).toBeCloseTo(factor * change[i]!, 2);
    }
  });

  test('that is to be compressed and is not finite is refused, and names the shard', () => {
    const strategy = strategyOf(specOf({ strategy: { kind: 'diloco' }, compression: { values: 'int8' } }));
    const vectors = { change: new Float32Array(LENGTH).fill(NaN, 5, 6) };
    expect(() => encodeUpdate({ shard: 6, vectors }, undefined, strategy, slicesOf(LAYOUT, 1))).toThrow(
      /shard 6 is not finite/,
    );
  });
});

test('slices cover the vector once, and the last has what is assigned', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 256 }), (mergers) => {
      const slices = slicesOf(LAYOUT, mergers);
      expect(slices.length).toBe(Math.min(mergers, TRAINED));
      expect(slices[0]!.start).toBe(0);
      slices.forEach(({ start }, i) => i > 0 && expect(start).toBe(slices[i - 1]!.end));
      expect(slices.at(-1)!.end).toBe(LENGTH);
      expect(slices.reduce((sum, { trained }) => sum + trained, 0)).toBe(TRAINED);
      for (const { start, end, trained } of slices.slice(0, -1)) expect(end - start).toBe(trained);
    }),
  );
});

describe('what means nothing is refused by field', () => {
  const DILOCO = { kind: 'diloco' };
  const SGD = { kind: 'sgd', momentum: 0.9 };
  test.each([
    ['compression', { compression: { values: 'fp16' } }],
    ['compression', { strategy: { kind: 'local-sgd' }, compression: {} }],
    ['compression.errorFeedback', { strategy: DILOCO, compression: { errorFeedback: true } }],
    [
      'compression.topK.momentumCorrection',
      { strategy: { kind: 'all-reduce' }, compression: { topK: { momentumCorrection: true } } },
    ],
    ['compression.errorFeedback', { strategy: DILOCO, compression: { topK: {}, errorFeedback: false } }],
    ['clipNorm', { strategy: { kind: 'all-reduce', mergers: 2 }, clipNorm: 1 }],
  ])('%s of %o', (field, change) => {
    expect(() => checkStrategy(specOf(change))).toThrow(expect.objectContaining({ code: 'invalid', field }));
  });

  test.each([
    { compression: { values: 'int8' }, strategy: { kind: 'local-sgd', optimizerState: 'reset' } },
    { compression: { topK: {} }, strategy: { kind: 'all-reduce' } },
    { compression: { topK: { momentumCorrection: true } }, strategy: { kind: 'all-reduce' }, optimizer: SGD },
    { compression: { values: 'fp16', errorFeedback: true, download: 'int8' }, strategy: DILOCO },
    { strategy: { kind: 'all-reduce' }, clipNorm: 1 },
    { strategy: { kind: 'local-sgd', mergers: 4 }, clipNorm: 1 },
  ])('but not %o', (change) => {
    expect(() => checkStrategy(specOf(change))).not.toThrow();
  });

  test('momentum correction takes the momentum from the merge', () => {
    const given = { optimizer: SGD, strategy: { kind: 'all-reduce' }, compression: { topK: {} } };
    const moved = strategyOf(specOf(given));
    expect(moved.slots).toEqual([]);
    expect(moved.compression?.momentum).toEqual({ factor: 0.9, nesterov: false });
    const kept = strategyOf(specOf({ ...given, compression: { topK: { momentumCorrection: false } } }));
    expect(kept.slots).toEqual(['momentum']);
    expect(kept.compression?.momentum).toBeUndefined();
  });
});

test('traffic is what the objects have', () => {
  const part = (bytes: number) => ({ sha256: 'a'.repeat(64), bytes });
  const shard = (shard: number) => ({ shard, samples: 1, count: 1, loss: 1, metrics: {}, sha256: '' });
  const traffic = trafficOf({
    shards: [
      { ...shard(0), bytes: 100, residual: part(30) },
      { ...shard(2), bytes: 101, residual: part(31) },
    ],
    startBytes: 1000,
    residuals: [part(7), part(8), null],
    mergeRead: 5,
    mergeWritten: 6,
  });
  expect(traffic).toEqual({ up: 262, down: 2007, mergeRead: 5, mergeWritten: 6 });
  expect(sumTraffic([traffic, traffic])).toMatchObject({ up: 524, mergeWritten: 12 });
  expect(sumTraffic([traffic, undefined])).toBeNull();
});
