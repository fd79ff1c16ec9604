/** A target that is slow for a while, beside one of which nothing is known, and that cannot be in time. */
import { expect, test } from 'vitest';
import { simulate } from '../../../core/simulation/run.ts';
import { parseScenario } from '../../../core/simulation/parse.ts';

const TO = 6_500;
const scenario = parseScenario({
  name: 'unknown',
  about: '',
  seconds: 20,
  targets: [
    {
      id: 'edge',
      place: 'edge',
      serviceMs: 8,
      disturbances: [{ kind: 'network', from: 5_000, to: TO, extraMs: 250 }],
    },
    { id: 'cloud', place: 'cloud', lanes: 32, serviceMs: 3, networkMs: 160 },
  ],
  traffic: [{ rate: [[0, 20]], deadlineMs: 100 }],
});

test.each([1, 2, 3, 4, 5])(
  'when it is quick again that is found out within about a second, seed %d',
  (seed) => {
    const all = simulate(scenario, 'predictive', seed);
    const missed = all.filter(({ target }) => target === undefined).map(({ arrival: { at } }) => at);
    expect(missed.length).toBeGreaterThan(0);
    expect(Math.max(...missed)).toBeLessThan(TO + 1_200);
  },
);
