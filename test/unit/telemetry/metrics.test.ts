import { describe, expect, it } from 'vitest';
import { createRegistry } from '../../../core/telemetry/metrics.ts';

describe('the Prometheus text format', () => {
  it('is exact: counters, gauges and cumulative histograms in order of registration', () => {
    const registry = createRegistry();
    const asked = registry.counter('asked_total', 'Asked.', ['who', 'how']);
    registry.gaugeOf('level', 'Level.', [], () => [[[], -1.5]]);
    const took = registry.histogram('took_seconds', 'Took.', ['who'], [0.1, 1]);
    registry.counterOf('kept_total', 'Kept elsewhere.', ['who'], () => [[['a'], 3]]);
    asked.add(['a', 'x']);
    asked.add(['a', 'x'], 2);
    asked.add(['b', 'x']);
    for (const value of [0.05, 0.1, 0.5, 7, Number.NaN]) took.observe(['a'], value);
    expect(registry.text()).toBe(
      [
        '# HELP asked_total Asked.',
        '# TYPE asked_total counter',
        'asked_total{who="a",how="x"} 3',
        'asked_total{who="b",how="x"} 1',
        '# HELP level Level.',
        '# TYPE level gauge',
        'level -1.5',
        '# HELP took_seconds Took.',
        '# TYPE took_seconds histogram',
        'took_seconds_bucket{who="a",le="0.1"} 2',
        'took_seconds_bucket{who="a",le="1"} 3',
        'took_seconds_bucket{who="a",le="+Inf"} 4',
        'took_seconds_sum{who="a"} 7.65',
        'took_seconds_count{who="a"} 4',
        '# HELP kept_total Kept elsewhere.',
        '# TYPE kept_total counter',
        'kept_total{who="a"} 3',
        '',
      ].join('\n'),
    );
  });

  it('escapes what the format gives a meaning to', () => {
    const registry = createRegistry();
    registry.counter('a_total', 'Back\\slash,\nnew line, "quotes".', ['v']).add(['"\\\n']);
    expect(registry.text()).toBe(
      '# HELP a_total Back\\\\slash,\\nnew line, "quotes".\n# TYPE a_total counter\na_total{v="\\"\\\\\\n"} 1\n',
    );
  });

  it('spells what is not finite', () => {
    const registry = createRegistry();
    registry.gaugeOf('a', 'A.', ['v'], () => [
      [['1'], Infinity],
      [['2'], -Infinity],
      [['3'], Number.NaN],
    ]);
    expect(registry.text().split('\n').slice(2, 5)).toEqual([
      'a{v="1"} +Inf',
      'a{v="2"} -Inf',
      'a{v="3"} NaN',
    ]);
  });

  it('refuses names and bounds that no scraper takes, and a name twice', () => {
    const registry = createRegistry();
    const invalid = { code: 'invalid' };
    expect(() => registry.counter('a-b', '', [])).toThrow(
      expect.objectContaining({ ...invalid, field: 'name' }),
    );
    expect(() => registry.counter('a', '', ['__b'])).toThrow(expect.objectContaining({ field: 'label' }));
    expect(() => registry.histogram('a', '', [], [1, 1])).toThrow(
      expect.objectContaining({ field: 'bounds' }),
    );
    registry.counter('a', '', []);
    expect(() => registry.gaugeOf('a', '', [], () => [])).toThrow(
      expect.objectContaining({ code: 'conflict' }),
    );
    expect(() => registry.counter('b', '', []).add([], -1)).toThrow(expect.objectContaining(invalid));
  });
});
