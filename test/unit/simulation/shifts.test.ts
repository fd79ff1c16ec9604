/** In virtual time what test/e2e/routing-faults.test.ts does on the real stack: shares shift at once, and come back. */
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../../core/simulation/router.ts';
import { simulate } from '../../../core/simulation/run.ts';
import { parseScenario } from '../../../core/simulation/parse.ts';
import type { ScenarioFile } from '../../../core/simulation/scenario.ts';

const FROM = 15_000;
const TO = 25_000;
/** Until a share has come back: an estimate of a target that is not chosen is looked at anew after two seconds. */
const SHIFT_MS = 2_500;

type Disturbance = NonNullable<ScenarioFile['targets'][number]['disturbances']>[number];

/** The cloud is ten times as quick, but for the disturbances. */
function run(rate: number, disturbances: readonly Disturbance[], seed: number, seconds: number): Outcome[] {
  const scenario = parseScenario({
    name: 'shifts',
    about: '',
    seconds,
    targets: [
      {
        id: 'edge',
        place: 'edge',
        serviceMs: { kind: 'lognormal', median: 500 / rate, sigma: 0.4 },
        networkMs: 0.5,
      },
      {
        id: 'cloud',
        place: 'cloud',
        lanes: 32,
        serviceMs: { kind: 'lognormal', median: 50 / rate, sigma: 0.4 },
        networkMs: 60 / rate,
        disturbances: [...disturbances],
      },
    ],
    traffic: [{ rate: [[0, rate]] }],
  });
  return simulate(scenario, 'predictive', seed);
}

const cloudShare = (all: readonly Outcome[], from: number, to: number) => {
  const during = all.filter(({ arrival: { at } }) => at >= from && at < to);
  return during.filter(({ target }) => target === 'cloud').length / during.length;
};

describe.each([20, 200])('at %d requests a second', (rate) => {
  // Of fifty requests one is copied.
  const backMs = SHIFT_MS + 50_000 / rate;
  const cases = [1, 2, 3].flatMap((seed) => [600, 2_500].map((extraMs) => [extraMs, seed] as const));
  test.each(cases)('a target %d ms slower is used again when it is quick again, seed %d', (extraMs, seed) => {
    const slow = { kind: 'network', from: FROM, to: TO, extraMs } as const;
    const all = run(rate, [slow], seed, (TO + backMs + 3_000) / 1_000);
    expect(all.every(({ target }) => target !== undefined)).toBe(true);
    expect(cloudShare(all, FROM - 5_000, FROM)).toBeGreaterThan(0.9);
    // The edge is busy for half of the time: now and then its queue is longer than that.
    expect(cloudShare(all, FROM + 1_000 + extraMs, TO)).toBeLessThan(0.15);
    expect(cloudShare(all, TO + backMs, TO + backMs + 3_000)).toBeGreaterThan(0.9);
    const copied = all.filter(({ attempts, hedged }) => attempts.length > 1 && !hedged).length;
    expect(copied).toBeLessThanOrEqual(1 + all.length / 50);
  });
});

test.each([1, 2, 3])('that it was slow for a while makes no target unreliable for ever, seed %d', (seed) => {
  // Three hundred times what was predicted, and then six times: three hundred times that would be past the deadline.
  const disturbances = [
    { kind: 'network', from: FROM, to: TO, extraMs: 4_000 },
    { kind: 'network', from: TO, to: 120_000, extraMs: 40 },
  ] as const;
  const all = run(4, disturbances, seed, 120);
  expect(all.every(({ target }) => target !== undefined)).toBe(true);
  expect(cloudShare(all, 90_000, 120_000)).toBeGreaterThan(0.9);
});

test('a target that fails is left within a second, no request fails, and it is used again after its ejection', () => {
  const all = run(200, [{ kind: 'errors', from: FROM, to: FROM + 2_000 }], 1, 60);
  expect(all.every(({ target }) => target !== undefined)).toBe(true);
  // Half a minute from the fifth failure.
  expect(cloudShare(all, FROM + 1_000, FROM + 29_000)).toBe(0);
  expect(cloudShare(all, FROM + 32_000, 60_000)).toBeGreaterThan(0.9);
});
