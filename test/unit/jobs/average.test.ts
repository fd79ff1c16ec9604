import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { meanOf, type Share } from '../../../core/jobs/average.ts';
import { decodeState, encodeState } from '../../../core/jobs/state.ts';
import { decodeSafetensors } from '../../../core/tensors/safetensors.ts';

interface Update extends Share {
  readonly values: Float32Array;
}

const update = (shard: number, samples: number, values: number[], count = samples): Update => ({
  shard,
  samples,
  count,
  values: Float32Array.from(values),
});
const mean = (updates: readonly Update[], trained?: number) => [
  ...meanOf(updates, ({ values }) => values, trained),
];

describe('averaging', () => {
  test('weighs what is trained by what the loss counts, and what is assigned by rows', () => {
    const updates = [update(0, 3, [0, 10, 8], 10), update(1, 1, [4, 2, 0], 30)];
    expect(mean(updates)).toEqual([3, 4, 2]);
    expect(mean(updates, 2)).toEqual([3, 4, 6]);
  });

  test('takes those that are there, and nothing of one whose rows the loss does not count', () => {
    expect(mean([update(4, 5, [7])])).toEqual([7]);
    expect(mean([update(0, 5, [1]), update(2, 5, [9], 0), update(7, 15, [5])])).toEqual([4]);
  });

  test('refuses a round in which the loss counts nothing', () => {
    expect(() => mean([update(0, 5, [1], 0), update(1, 5, [1], 0)])).toThrow(/counts nothing/);
  });

  test('does not depend on the order in which updates came', () => {
    const values = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }), {
      minLength: 5,
      maxLength: 5,
    });
    const updates = fc.array(fc.tuple(values, fc.integer({ min: 1, max: 1000 })), {
      minLength: 2,
      maxLength: 6,
    });
    fc.assert(
      fc.property(updates, fc.infiniteStream(fc.nat()), (drawn, keys) => {
        const ordered = drawn.map(([numbers, samples], shard) => update(shard, samples, numbers));
        const shuffled = ordered
          .map((one) => ({ one, key: keys.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ one }) => one);
        expect(mean(shuffled)).toEqual(mean(ordered));
      }),
    );
  });

  test.each([NaN, Infinity, -Infinity])('refuses %s and names the shard', (bad) => {
    expect(() => mean([update(0, 1, [1]), update(3, 1, [bad])])).toThrow(/shard 3 is not finite/);
    expect(() => mean([update(0, 1, [1, 1]), update(2, 1, [1, bad])], 1)).toThrow(/shard 2 is not finite/);
  });
});

describe('state files', () => {
  const layout = [
    { name: 'w', shape: [2, 2], offset: 0, length: 4 },
    { name: 'b', shape: [1], offset: 4, length: 1 },
  ];
  const state = {
    parameters: Float32Array.of(1, 2, 3, 4, 5),
    slots: { m: Float32Array.of(6, 7, 8, 9, 10) },
  };

  test('come back as they went, metadata included', () => {
    const bytes = encodeState(state, layout, { base: 'x' });
    expect(decodeState(bytes, layout, ['m'])).toEqual(state);
    expect(decodeSafetensors(bytes).metadata).toEqual({ base: 'x' });
  });

  test('are the same bytes every time', () => {
    expect(encodeState(state, layout)).toEqual(encodeState(structuredClone(state), layout));
  });

  test('of another layout or optimizer are refused by tensor', () => {
    const bytes = encodeState(state, layout);
    expect(() => decodeState(bytes, layout, ['v'])).toThrow(/v\/w/);
    const other = [{ name: 'w', shape: [5], offset: 0, length: 5 }];
    expect(() => decodeState(bytes, other, [])).toThrow(/tensor w/);
  });
});
