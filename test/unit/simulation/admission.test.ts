/** With admission, as the Worker always has it: what is refused, and for how long. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../../core/simulation/router.ts';
import { simulate } from '../../../core/simulation/run.ts';
import { parseScenario } from '../../../core/simulation/parse.ts';
import type { ScenarioFile } from '../../../core/simulation/scenario.ts';

const FROM = 5_000;
const TO = 6_500;

/** A cloud alone, 250 ms further away for a while than the deadline bears. */
const slowForAWhile = (changes: Partial<ScenarioFile['targets'][number]> = {}): ScenarioFile => ({
  name: 'slow-for-a-while',
  about: '',
  seconds: 40,
  targets: [
    {
      id: 'cloud',
      place: 'cloud',
      lanes: 32,
      serviceMs: 3,
      networkMs: 10,
      disturbances: [{ kind: 'network', from: FROM, to: TO, extraMs: 250 }],
      ...changes,
    },
  ],
  traffic: [
    { rate: [[0, 20]], deadlineMs: 100 },
    // Some can wait, and so it is known how slow it is.
    {
      rate: [
        [FROM - 1, 0],
        [FROM, 5],
        [TO, 5],
        [TO + 1, 0],
      ],
      deadlineMs: 1_000,
    },
  ],
});

const hasty = (all: readonly Outcome[]) => all.filter(({ arrival }) => arrival.deadlineMs === 100);

describe.each([1, 2, 3])('seed %d', (seed) => {
  test('a target that is quick again is used again within about a second', () => {
    const all = hasty(simulate(parseScenario({ ...slowForAWhile(), admission: true }), 'predictive', seed));
    const refusedAt = all.filter(({ refused }) => refused).map(({ arrival: { at } }) => at);
    expect(refusedAt.length).toBeGreaterThan(0);
    // One try a second, and the way there and back.
    expect(Math.max(...refusedAt)).toBeLessThan(TO + 1_300);
    const missed = (of: typeof all) => of.filter(({ target }) => target === undefined).length / of.length;
    // While it is slow, all are missed either way, and about a second longer.
    const without = hasty(simulate(parseScenario(slowForAWhile()), 'predictive', seed));
    expect(missed(all)).toBeLessThan(missed(without) + 1.5 / 40);
  });

  test('while it is slow, one request a second is sent, and no more', () => {
    const long = slowForAWhile({
      disturbances: [{ kind: 'network', from: FROM, to: 35_000, extraMs: 250 }],
    });
    const all = hasty(simulate(parseScenario({ ...long, admission: true }), 'predictive', seed));
    const during = all.filter(({ arrival: { at } }) => at >= FROM + 2_000 && at < 35_000);
    const sent = during.filter(({ attempts }) => attempts.length > 0).length;
    expect(sent).toBeGreaterThan(20);
    expect(sent).toBeLessThanOrEqual(29);
    expect(during.every(({ target }) => target === undefined)).toBe(true);
  });
});

const SCENARIOS = new URL('../../../infra/scenarios/', import.meta.url);

test.each(['iot-alerting', 'smart-home', 'driving', 'vr-ar'])(
  'the use %s, which can be met, loses nothing by it',
  (name) => {
    const file = JSON.parse(readFileSync(new URL(`${name}.json`, SCENARIOS), 'utf8')) as ScenarioFile;
    const all = simulate(parseScenario({ ...file, admission: true }), 'predictive', 11);
    expect(all.filter(({ target, refused }) => refused || target === undefined)).toEqual([]);
  },
);
