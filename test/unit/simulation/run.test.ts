import { describe, expect, test } from 'vitest';
import { POLICY_NAMES } from '../../../core/routing/policies/table.ts';
import { arrivalsOf, drawsOf } from '../../../core/simulation/arrivals.ts';
import { rateAt } from '../../../core/simulation/rate.ts';
import { reportOf } from '../../../core/simulation/report.ts';
import type { Outcome } from '../../../core/simulation/router.ts';
import { type Contender, simulate } from '../../../core/simulation/run.ts';
import { parseScenario } from '../../../core/simulation/parse.ts';
import type { Scenario, ScenarioFile } from '../../../core/simulation/scenario.ts';

const scenarioOf = (fields: Partial<ScenarioFile>): Scenario =>
  parseScenario({
    name: 'test',
    about: '',
    seconds: 20,
    targets: [
      { id: 'edge', place: 'edge', serviceMs: { kind: 'exponential', mean: 8 }, networkMs: 1 },
      {
        id: 'cloud',
        place: 'cloud',
        lanes: 4,
        serviceMs: { kind: 'lognormal', median: 4, sigma: 0.5 },
        networkMs: { kind: 'normal', mean: 30, deviation: 5 },
        kilobytesPerMs: 2,
      },
    ],
    traffic: [{ rate: [[0, 100]], bytes: { kind: 'uniform', low: 100, high: 9_000 }, deadlineMs: 500 }],
    ...fields,
  });

const short = ({ arrival, target, latencyMs, attempts }: Outcome) => [
  arrival.index,
  target,
  latencyMs,
  ...attempts,
];

describe('the same seed', () => {
  test.each<Contender>([...POLICY_NAMES, 'informed', 'oracle'])(
    'gives the same outcomes: %s',
    (contender) => {
      const scenario = scenarioOf({ routers: 2, seconds: 5 });
      const outcomes = simulate(scenario, contender, 7).map(short);
      expect(outcomes.length).toBeGreaterThan(400);
      expect(simulate(scenario, contender, 7).map(short)).toEqual(outcomes);
      expect(simulate(scenario, contender, 8).map(short)).not.toEqual(outcomes);
    },
  );

  test('gives the same requests whatever targets and policies there are', () => {
    const scenario = scenarioOf({});
    const [first] = scenario.targets;
    const other = { ...scenario, targets: [first!] };
    expect(arrivalsOf(other, 3)).toEqual(arrivalsOf(scenario, 3));
    const [arrival] = arrivalsOf(scenario, 3);
    const fate = drawsOf(3, first!, 0, arrival!);
    drawsOf(3, first!, 0, { ...arrival!, index: 99 });
    expect(drawsOf(3, first!, 0, arrival!)).toEqual(fate);
  });
});

describe('arrivals', () => {
  const counted = (fields: ScenarioFile['traffic'][number], seconds = 100) => {
    const arrivals = arrivalsOf(scenarioOf({ seconds, traffic: [fields] }), 1);
    return arrivals.map(({ at }) => at);
  };

  test('Poisson: as many as the rate says, the deviation of the gaps is their mean', () => {
    const times = counted({ rate: [[0, 200]] });
    expect(times.length / 20_000).toBeCloseTo(1, 1.3);
    const gaps = times.slice(1).map((at, i) => at - times[i]!);
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
    expect(Math.sqrt(variance) / mean).toBeCloseTo(1, 1.3);
  });

  test('a ramp: between two points in a straight line', () => {
    const rate: [number, number][] = [
      [0, 0],
      [50_000, 100],
      [60_000, 100],
      [60_000, 0],
    ];
    expect([10_000, 50_000, 55_000, 60_000, 90_000].map((at) => rateAt(rate, at))).toEqual([
      20, 100, 100, 0, 0,
    ]);
    const times = counted({ rate });
    expect(times.length / 3_500).toBeCloseTo(1, 1);
    expect(times.filter((at) => at < 25_000).length / 625).toBeCloseTo(1, 0.7);
    expect(Math.max(...times)).toBeLessThan(60_000);
  });

  test('regular: evenly spaced; a trace as it is', () => {
    const times = counted({ rate: [[0, 10]], arrivals: 'regular' }, 10);
    expect(times).toHaveLength(100);
    expect(times[50]! - times[49]!).toBeCloseTo(100);
    expect(counted({ trace: [5, 1, 20_000] }, 10)).toEqual([1, 5]);
  });

  test('regular: as many as Poisson where the rate begins at 0', () => {
    const rate: [number, number][] = [
      [0, 0],
      [10_000, 100],
    ];
    expect(Math.abs(counted({ rate, arrivals: 'regular' }, 12).length - 700)).toBeLessThanOrEqual(1);
  });
});

describe('protections', () => {
  const targets = (
    disturbances: ScenarioFile['targets'][number]['disturbances'],
  ): ScenarioFile['targets'] => [
    { id: 'a', place: 'cloud', lanes: 4, serviceMs: 10, disturbances },
    { id: 'b', place: 'cloud', lanes: 4, serviceMs: 10 },
  ];
  const run = (fields: Partial<ScenarioFile>, contender: Contender = 'round-robin') =>
    reportOf(
      simulate(scenarioOf({ traffic: [{ rate: [[0, 50]], deadlineMs: 5_000 }], ...fields }), contender, 1),
    );

  test('what fails is tried elsewhere; without fallback it is missed', () => {
    const failing = targets([{ kind: 'errors', from: 0, to: 1e6, share: 0.2 }]);
    expect(run({ targets: failing })).toMatchObject({ missed: 0 });
    expect(run({ targets: failing, fallback: false }).missed).toBeGreaterThan(0.05);
  });

  test('a target that fails always is ejected: hardly any request sees it', () => {
    const report = run({ targets: targets([{ kind: 'errors', from: 0, to: 1e6 }]) });
    expect(report.missed).toBe(0);
    expect(report.shares).toEqual({ b: expect.closeTo(1) });
    expect(report.extra).toBeLessThan(0.02);
  });

  test('a partition costs time, not answers', () => {
    const report = run({ targets: targets([{ kind: 'partition', from: 5_000, to: 10_000 }]) }, 'predictive');
    expect(report.missed).toBe(0);
    expect(report.p50Ms).toBeCloseTo(10);
  });

  test('hedging: a second request where the first is late, within its budget', () => {
    const tail: ScenarioFile['targets'] = ['a', 'b'].map((id) => ({
      id,
      place: 'cloud',
      lanes: 8,
      serviceMs: { kind: 'mixture', usually: 10, rarely: 2_000, share: 0.01 },
    }));
    const fields: Partial<ScenarioFile> = { targets: tail, seconds: 100 };
    const [without, hedged] = [run({ ...fields, hedging: false }), run(fields)];
    expect(without.p999Ms).toBeCloseTo(2_000);
    expect(hedged.p999Ms).toBeLessThan(200);
    expect(hedged.hedged).toBeGreaterThan(0.005);
    expect(hedged.extra).toBeLessThan(0.05);
  });

  test('admission: what nobody is predicted to answer in time is refused at once', () => {
    const fields: Partial<ScenarioFile> = {
      targets: [{ id: 'a', place: 'cloud', serviceMs: 10 }],
      traffic: [{ rate: [[0, 300]], deadlineMs: 100 }],
    };
    const [open, admitted] = [run(fields), run({ ...fields, admission: true })];
    expect(open.refused).toBe(0);
    expect(admitted.refused).toBeGreaterThan(0.5);
    expect(admitted.missed).toBeLessThan(open.missed);
  });

  test('pins are kept', () => {
    const report = run({
      targets: scenarioOf({}).targets,
      traffic: [{ rate: [[0, 20]], pin: 'cloud' }],
    });
    expect(report.shares).toEqual({ cloud: expect.closeTo(1) });
  });
});

describe('clairvoyants', () => {
  test.each([0.3, 1, 1.5])(
    'are never worse than random, the oracle not than the informed: load %s',
    (load) => {
      const scenario = scenarioOf({ traffic: [{ rate: [[0, 150 * load]], deadlineMs: 1_000 }], seconds: 30 });
      for (const seed of [1, 2]) {
        const mean = (contender: Contender) => reportOf(simulate(scenario, contender, seed)).meanMs;
        const [oracle, informed, random] = [mean('oracle'), mean('informed'), mean('random')];
        expect(oracle).toBeLessThan(informed);
        expect(informed).toBeLessThan(random);
      }
    },
  );

  test('foresee exactly what will be: one target, whatever its discipline, and none that fails', () => {
    const scenario = scenarioOf({
      targets: [
        { id: 'a', place: 'cloud', lanes: 3, serviceMs: { kind: 'exponential', mean: 20 } },
        { id: 'b', place: 'cloud', serviceMs: 1, disturbances: [{ kind: 'errors', from: 0, to: 1e6 }] },
      ],
    });
    const report = reportOf(simulate(scenario, 'oracle', 1));
    expect(report).toMatchObject({ missed: 0, extra: 0, shares: { a: expect.closeTo(1) } });
  });
});

test('the report: percentiles by nearest rank, a miss counts with its deadline', () => {
  const outcome = (latencyMs: number, target: string | undefined): Outcome => ({
    arrival: {
      index: 0,
      at: 0,
      stream: 0,
      work: 1,
      router: 0,
      model: 'm',
      bytes: 1,
      pin: undefined,
      deadlineMs: 500,
    },
    target,
    reason: undefined,
    latencyMs,
    predictedMs: target === undefined ? null : latencyMs + 10,
    attempts: latencyMs === 100 ? ['a', 'b'] : ['a'],
    hedged: latencyMs === 100,
    refused: false,
  });
  const outcomes = [
    ...Array.from({ length: 98 }, (_, i) => outcome(i + 1, 'a')),
    outcome(100, 'b'),
    outcome(500, undefined),
  ];
  const report = reportOf(outcomes);
  expect(report).toMatchObject({
    requests: 100,
    p50Ms: 50,
    p95Ms: 95,
    p99Ms: 100,
    p999Ms: 500,
    missed: 0.01,
    hedged: 0.01,
    extra: 0.01,
    refused: 0,
  });
  expect(report.meanMs).toBeCloseTo((98 * 49.5 + 600) / 100);
  expect(report.shares['a']).toBeCloseTo(98 / 99);
  // Of first attempts alone: 10 ms off a mean of 49.5.
  expect(report.predictionError).toBeCloseTo(10 / 49.5);
  expect(reportOf([])).toMatchObject({ requests: 0, meanMs: 0, missed: 0 });
});
