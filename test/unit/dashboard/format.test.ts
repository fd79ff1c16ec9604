import { describe, expect, it } from 'vitest';
import * as format from '../../../functions/router/dashboard/format.js';
import { ticks } from '../../../functions/router/dashboard/ticks.js';

describe('figures', () => {
  it.each([
    [null, '–'],
    [0, '< 1 ms'],
    [0.333, '0.33 ms'],
    [12.345, '12.3 ms'],
    [999, '999 ms'],
    [999.7, '1 s'],
    [1_500, '1.5 s'],
  ])('ms(%s) is %s', (milliseconds, text) => expect(format.ms(milliseconds)).toBe(text));

  it.each([
    [0, '0 s'],
    [59.4, '59 s'],
    [59.7, '1 min 0 s'],
    [119.9, '2 min 0 s'],
    [3_599.6, '1 h 0 min'],
    [7_380, '2 h 3 min'],
  ])('span(%s) is %s', (seconds, text) => expect(format.span(seconds)).toBe(text));

  it.each([
    [0.0004, '< 1 ms'],
    [1.05, '1.05 s'],
    [59.94, '59.9 s'],
    [59.97, '1 min 0 s'],
    [61, '1 min 1 s'],
  ])('took(%s) is %s', (seconds, text) => expect(format.took(seconds)).toBe(text));

  it('ago: to the minute within a day, then the date', () => {
    const now = Date.parse('2026-03-05T12:00:00Z');
    const before = (seconds: number) => format.ago(new Date(now - seconds * 1000).toISOString(), now);
    expect(before(-3)).toBe('just now');
    expect(before(4)).toBe('just now');
    expect(before(42)).toBe('42 s ago');
    expect(before(61)).toBe('1 min ago');
    expect(before(7_500)).toBe('2 h ago');
    expect(before(3 * 86_400)).toBe('Mar 2, 2026');
  });

  it('counts, shares, sizes and rates', () => {
    expect(format.count(1_234.6)).toBe('1,235');
    expect(format.short(9_999)).toBe('9,999');
    expect(format.short(41_800)).toBe('41.8K');
    expect(format.plural(1, 'job')).toBe('1 job');
    expect(format.plural(0, 'job')).toBe('0 jobs');
    expect(format.percent(0.8876)).toBe('88.8 %');
    expect(format.bytes(407_560)).toBe('408 kB');
    expect(format.bytes(999_600)).toBe('1 MB');
    expect(format.bytes(24_000_000)).toBe('24 MB');
    expect(format.perSecond(3.14)).toBe('3.1/s');
    expect(format.perSecond(1_234)).toBe('1,234/s');
  });

  it('the first metric is the one to show, a share as percent', () => {
    expect(format.headline({ accuracy: 0.97812, loss: 0.08 })).toEqual({
      name: 'accuracy',
      value: 0.97812,
      text: '97.81 %',
    });
    expect(format.headline({ perplexity: 7.41234 })?.text).toBe('7.412');
    expect(format.headline({})).toBeUndefined();
    expect(format.headline(undefined)).toBeUndefined();
  });
});

describe('ticks', () => {
  it.each([
    [0, 1, 4, [0, 0.25, 0.5, 0.75, 1]],
    [0, 5, 6, [0, 1, 2, 3, 4, 5]],
    [-30, 0, 6, [-30, -25, -20, -15, -10, -5, 0]],
    [0.85, 1, 4, [0.85, 0.9, 0.95, 1]],
    [3, 3, 4, [3]],
  ])('of %s to %s, about %s', (low, high, wanted, expected) => {
    const values = ticks(low, high, wanted);
    expect(values).toHaveLength(expected.length);
    values.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 9));
  });
});
