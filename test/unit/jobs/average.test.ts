import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { averageUpdates, type ShardUpdate } from '../../../core/jobs/average.ts';
import { decodeState, encodeState } from '../../../core/jobs/state.ts';

const update = (shard: number, samples: number, values: number[], m = values): ShardUpdate => ({
  shard,
  samples,
  state: { parameters: Float32Array.from(values), slots: { m: Float32Array.from(m) } },
});

describe('averaging', () => {
  test('weighs by samples, parameters and slots alike', () => {
    const mean = averageUpdates([update(0, 1, [0, 10], [4, 0]), update(1, 3, [4, 2], [0, 8])]);
    expect([...mean.parameters]).toEqual([3, 4]);
    expect([...(mean.slots['m'] ?? [])]).toEqual([1, 6]);
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
        expect(averageUpdates(shuffled)).toEqual(averageUpdates(ordered));
      }),
    );
  });

  test.each([NaN, Infinity, -Infinity])('refuses %s and names the shard', (bad) => {
    expect(() => averageUpdates([update(0, 1, [1]), update(3, 1, [bad])])).toThrow(/shard 3 is not finite/);
    expect(() => averageUpdates([update(2, 1, [1], [bad])])).toThrow(/shard 2 is not finite/);
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
    const { metadata, ...read } = decodeState(encodeState(state, layout, { base: 'x' }), layout, ['m']);
    expect(read).toEqual(state);
    expect(metadata).toEqual({ base: 'x' });
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
