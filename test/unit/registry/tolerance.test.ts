import { describe, expect, it } from 'vitest';
import { worseThan } from '../../../core/registry/tolerance.ts';

describe('worseThan', () => {
  it('compares by the metric asked for, or the reference’s first', () => {
    const [before, after] = [
      { accuracy: 0.9, loss: 0.3 },
      { loss: 0.5, accuracy: 0.9 },
    ];
    expect(worseThan(before, after, undefined, 0)).toBeUndefined();
    expect(worseThan(before, after, 'loss', 0.1)).toBe(
      'its loss is 0.5, worse than 0.3 by 0.2: 0.1 is allowed',
    );
  });

  it.each([
    ['accuracy', 0.98, 0.975, 0.006, true],
    ['accuracy', 0.98, 0.97, 0.006, false],
    ['accuracy', 0.98, 0.975, 0.005, true],
    ['accuracy', 0.98, 0.99, 0, true],
    ['f1', 0.5, 0.4, 0.05, false],
    ['rmse', 1.0, 1.2, 0.1, false],
    ['rmse', 1.0, 0.5, 0, true],
    ['perplexity', 7, 7, 0, true],
  ])('%s from %d to %d, %d allowed: good enough %j', (metric, before, after, tolerance, good) => {
    const reason = worseThan({ [metric]: before }, { [metric]: after }, metric, tolerance);
    expect(reason === undefined).toBe(good);
  });

  it('does not take a metric for good that nobody knows, or that is no number', () => {
    expect(worseThan({}, {}, undefined, 1)).toBe('there is no metric to compare by');
    expect(worseThan({ accuracy: 1 }, {}, undefined, 1)).toBe('its accuracy is unknown');
    expect(worseThan({ loss: 1 }, { loss: NaN }, undefined, 1)).toMatch(/worse/);
  });
});
