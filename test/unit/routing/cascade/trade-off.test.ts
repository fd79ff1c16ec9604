import { describe, expect, it } from 'vitest';
import { lowestThreshold, pointAt } from '../../../../core/routing/cascade/trade-off.ts';

const outcomes = {
  confidence: [0.2, 0.5, 0.9, NaN],
  small: [false, true, true, false],
  large: [true, true, false, true],
};
const grid = [0.9, 0, 0.3, 1];

describe('a threshold', () => {
  it('offloads what is below it, NaN always, and is right where the one asked is', () => {
    expect(pointAt(outcomes, 0)).toEqual({ threshold: 0, offload: 0.25, accuracy: 0.75 });
    expect(pointAt(outcomes, 0.3)).toEqual({ threshold: 0.3, offload: 0.5, accuracy: 1 });
    expect(pointAt(outcomes, 1)).toEqual({ threshold: 1, offload: 1, accuracy: 0.75 });
  });

  it('is the lowest that is accurate enough', () => {
    expect(lowestThreshold(outcomes, grid, 0)?.threshold).toBe(0);
    const worse = { ...outcomes, small: [false, false, false, false] };
    expect(lowestThreshold(worse, grid, 0)?.threshold).toBe(0.9);
    expect(lowestThreshold(worse, grid, 0.25)?.threshold).toBe(0.3);
    expect(lowestThreshold(worse, [0, 0.3], 0)).toBeUndefined();
  });
});
