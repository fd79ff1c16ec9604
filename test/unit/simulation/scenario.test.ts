import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createRandom } from '../../../core/random.ts';
import { compare, figureOf, meetsObjective, plotOf } from '../../../core/simulation/compare.ts';
import { type Distribution, draw, meanOf } from '../../../core/simulation/distribution.ts';
import { atLoad, parseLoads } from '../../../core/simulation/load.ts';
import { parseScenario } from '../../../core/simulation/parse.ts';
import type { ScenarioFile } from '../../../core/simulation/scenario.ts';

const FOLDER = new URL('../../../infra/scenarios/', import.meta.url);
const base: ScenarioFile = {
  name: 'test',
  about: 'a test',
  seconds: 10,
  targets: [{ id: 'a', place: 'edge', serviceMs: 5 }],
  traffic: [{ rate: [[0, 50]] }],
};

describe('scenario files', () => {
  const files = readdirSync(FOLDER);

  test.each(files)('%s is read, says what it is about, and bears the name of its file', (file) => {
    const scenario = parseScenario(JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')));
    expect(`${scenario.name}.json`).toBe(file);
    expect(scenario.about.length).toBeGreaterThan(40);
  });

  test('the uses state their objectives and where their figures are from', () => {
    for (const name of ['iot-alerting', 'smart-home', 'driving', 'vr-ar']) {
      const scenario = parseScenario(JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8')));
      expect(scenario.objective?.p99Ms, name).toBeGreaterThan(0);
      expect(scenario.sources.length, name).toBeGreaterThan(2);
    }
  });

  test('copies of a target get names of their own', () => {
    const { targets } = parseScenario({ ...base, targets: [{ ...base.targets[0]!, copies: 3 }] });
    expect(targets.map(({ id }) => id)).toEqual(['a-1', 'a-2', 'a-3']);
  });

  test.each<[string, object, RegExp]>([
    ['an unknown field', { retries: 3 }, /retries/],
    ['no targets', { targets: [] }, /targets/],
    ['two of a name', { targets: [base.targets[0], base.targets[0]] }, /two called a/],
    ['neither rate nor trace', { traffic: [{}] }, /either a rate or a trace/],
    ['both', { traffic: [{ rate: [[0, 1]], trace: [1] }] }, /either a rate or a trace/],
    [
      'time going back',
      {
        traffic: [
          {
            rate: [
              [5, 1],
              [4, 1],
            ],
          },
        ],
      },
      /must not go back/,
    ],
    [
      'cold starts of a shared target',
      { targets: [{ ...base.targets[0], discipline: 'shared', cold: { ms: 1, afterMs: 1 } }] },
      /shared target has none/,
    ],
    [
      'a warm-up that never ends',
      { warmupSeconds: 10 },
      /warmupSeconds: must be less than seconds, 10; is 10/,
    ],
    ['a rate of nothing', { traffic: [{ rate: [[0, 0]] }] }, /traffic\.0\.rate: must give requests/],
    [
      'a rate that begins too late',
      {
        traffic: [
          {
            rate: [
              [0, 0],
              [10_000, 0],
              [11_000, 9],
            ],
          },
        ],
      },
      /gives none/,
    ],
    ['a trace of nothing', { traffic: [{ trace: [] }] }, /traffic\.0\.trace: must give requests/],
    [
      'requests in the warm-up only',
      { warmupSeconds: 5, traffic: [{ trace: [1, 4_999] }] },
      /nothing is measured/,
    ],
    [
      'more than can be held',
      { traffic: [{ rate: [[0, 1]] }, { rate: [[0, 1e9]] }] },
      /traffic\.1\.rate: .*at most 500000/,
    ],
    [
      'a pin to nowhere',
      { traffic: [{ rate: [[0, 1]], pin: 'cloud' }] },
      /traffic\.0\.pin: there is no target at the cloud/,
    ],
    [
      'what ends before it begins',
      { targets: [{ ...base.targets[0], disturbances: [{ kind: 'partition', from: 5, to: 5 }] }] },
      /targets\.0\.disturbances\.0\.to: must be after from; is 5/,
    ],
    [
      'no such disturbance',
      { targets: [{ ...base.targets[0], disturbances: [{ kind: 'storm', from: 5, to: 6 }] }] },
      /targets\.0\.disturbances\.0\.kind: must be one of errors, partition, speed, network; is "storm"/,
    ],
    [
      'upside down',
      { targets: [{ ...base.targets[0], serviceMs: { kind: 'uniform', low: 5, high: 4 } }] },
      /targets\.0\.serviceMs\.high: must not be below low; is 4/,
    ],
    [
      'no such distribution',
      { targets: [{ ...base.targets[0], serviceMs: { kind: 'gauss', mean: 4 } }] },
      /targets\.0\.serviceMs\.kind: must be one of exponential, uniform, lognormal, normal, mixture; is "gauss"/,
    ],
    [
      'a distribution in words',
      { targets: [{ ...base.targets[0], serviceMs: 'long' }] },
      /targets\.0\.serviceMs: must be a number, 0 or more, or an object whose kind is one of .*; is "long"/,
    ],
    [
      'a wrong number in a distribution',
      { targets: [{ ...base.targets[0], serviceMs: { kind: 'exponential', mean: -1 } }] },
      /targets\.0\.serviceMs\.mean: .*>0; is -1/,
    ],
  ])('refused: %s', (_, fields, message) => {
    expect(() => parseScenario({ ...base, ...fields })).toThrow(message);
  });

  test.each<[string, unknown]>([
    ['[1,2]', [1, 2]],
    ['null', null],
    ['"driving"', 'driving'],
  ])('refused: %s is no scenario', (shown, file) => {
    expect(() => parseScenario(file)).toThrow(
      `scenario: must be an object with name, about, seconds, targets, traffic; is ${shown}`,
    );
  });
});

describe('distributions', () => {
  test.each<Distribution>([
    3,
    { kind: 'exponential', mean: 7 },
    { kind: 'uniform', low: 2, high: 5 },
    { kind: 'lognormal', median: 4, sigma: 0.6 },
    { kind: 'normal', mean: 10, deviation: 10 },
    { kind: 'mixture', usually: 1, rarely: 50, share: 0.1 },
  ])('the mean of many is the mean: %o', (distribution) => {
    const random = createRandom(1);
    const count = 50_000;
    let sum = 0;
    for (let i = 0; i < count; i++) sum += draw(distribution, random);
    expect(sum / count / meanOf(distribution)).toBeCloseTo(1, 1.4);
  });
});

describe('load', () => {
  test('factors, lists and ranges in equal ratios', () => {
    expect(parseLoads('1')).toEqual([1]);
    expect(parseLoads('0.5,1,2')).toEqual([0.5, 1, 2]);
    const steps = parseLoads('0.75..1.7417:9');
    expect(steps).toHaveLength(9);
    expect(steps[1]! / steps[0]!).toBeCloseTo(10 / 9, 3);
    expect(steps.at(-1)).toBeCloseTo(1.7417);
  });

  test.each(['', '0', 'x', '1,,2', '2..1:1', '0..1:3', '1..2:99', '-1', 'Infinity'])(
    'refused: %s',
    (text) => {
      expect(() => parseLoads(text)).toThrow(/must be factors above 0/);
    },
  );

  test('multiplies rates; a trace is played faster and begins again', () => {
    const scenario = parseScenario({
      ...base,
      traffic: [{ rate: [[0, 50]] }, { trace: [0, 4_000, 12_000] }],
    });
    const [rated, traced] = atLoad(scenario, 1.5).traffic;
    expect(rated!.rate).toEqual([[0, 75]]);
    // Twice over, 1.5 times as fast; what is after the end of the scenario never was in it.
    expect(traced!.trace!.map(Math.round)).toEqual([0, 2_667, 6_667, 9_333]);
    expect(atLoad(scenario, 0.5).traffic[1]!.trace).toEqual([0, 8_000]);
  });
});

describe('comparison', () => {
  const scenario = parseScenario({ ...base, objective: { p99Ms: 100, missShare: 0 } });
  const rows = [...compare(scenario, { contenders: ['random', 'oracle'], loads: [1, 2, 5], seed: 1 })];

  test('every contender at every load', () => {
    expect(rows.map(({ contender, load }) => [contender, load])).toEqual([
      ['random', 1],
      ['oracle', 1],
      ['random', 2],
      ['oracle', 2],
      ['random', 5],
      ['oracle', 5],
    ]);
    expect(rows[2]!.report.requests).toBeGreaterThan(1.5 * rows[0]!.report.requests);
  });

  test('a load that is too much to hold is refused before the first is computed', () => {
    const most = { contenders: ['random'], loads: [1, 10_000], seed: 1 } as const;
    expect(() => compare(scenario, most).next()).toThrow(/traffic\.0\.rate: .* at load 10000; at most/);
  });

  test('where nothing came, nothing was measured: no objective is met by that', () => {
    const rare = parseScenario({ ...base, objective: { p99Ms: 100 }, traffic: [{ rate: [[0, 1e-9]] }] });
    const [row] = [...compare(rare, { contenders: ['random'], loads: [1], seed: 1 })];
    expect(row!.report.requests).toBe(0);
    expect(meetsObjective(rare, row!.report)).toBeUndefined();
    expect(figureOf(rare, [row!]).panels[0]!.series[0]!.points).toEqual([]);
  });

  test('the objective is met or not', () => {
    const at = (load: number) => meetsObjective(scenario, rows.find((row) => row.load === load)!.report);
    expect([at(1), at(5)]).toEqual([true, false]);
    expect(meetsObjective(parseScenario(base), rows[0]!.report)).toBeUndefined();
  });

  test('the plot has a panel for each percentile, a line for each contender and the objective', () => {
    const figure = figureOf(scenario, rows);
    expect(figure.panels.map(({ title }) => title)).toEqual([
      'median',
      '99th percentile',
      '99.9th percentile',
    ]);
    expect(figure.panels[1]!.limit).toMatchObject({ at: 100 });
    const svg = plotOf(scenario, rows);
    expect(svg.match(/<path d="M[^"]+" fill="none" stroke="#/g)).toHaveLength(6);
    expect(svg).toContain('objective 100 ms');
    expect(svg).toContain('prefers-color-scheme: dark');
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  test('words are escaped, one load is drawn in the middle', () => {
    const one = rows.slice(0, 1);
    const svg = plotOf({ ...scenario, name: 'a<b & "c"' }, one);
    expect(svg).toContain('a&lt;b &amp; &quot;c&quot;');
    expect(svg).not.toMatch(/NaN/);
  });
});
