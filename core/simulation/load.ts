/** A scenario under more or less load than it describes. */
import { Fault } from '../errors.ts';
import type { Scenario, Traffic } from './scenario.ts';

/** Load factors asked for at once, at most. */
const MOST_STEPS = 50;

/** @param factor multiplies every rate; a trace is played so much faster, from its beginning again where it ends early */
export function atLoad(scenario: Scenario, factor: number): Scenario {
  return { ...scenario, traffic: scenario.traffic.map((traffic) => trafficAt(traffic, scenario, factor)) };
}

function trafficAt(traffic: Traffic, { seconds }: Scenario, factor: number): Traffic {
  const { rate, trace } = traffic;
  if (rate !== undefined)
    return { ...traffic, rate: rate.map(([at, perSecond]): [number, number] => [at, perSecond * factor]) };
  const lengthMs = seconds * 1000;
  const played = (trace ?? []).filter((at) => at < lengthMs);
  const rounds = Array.from({ length: Math.max(1, Math.ceil(factor)) }, (_, round) =>
    played.map((at) => (at + round * lengthMs) / factor),
  );
  return { ...traffic, trace: rounds.flat() };
}

/**
 * `1`, `0.5,1,1.5`, or `0.75..1.74:9`: so many factors from one to the other, each the same ratio above the last.
 * @throws Fault `invalid`
 */
export function parseLoads(text: string): number[] {
  const range = /^([0-9.]+)\.\.([0-9.]+):(\d+)$/.exec(text);
  const loads =
    range === null
      ? text.split(',').map(Number)
      : between(Number(range[1]), Number(range[2]), Number(range[3]));
  const areValid = loads.every((load) => Number.isFinite(load) && load > 0 && load <= 1000);
  if (!areValid || loads.length === 0 || loads.length > MOST_STEPS)
    throw new Fault(
      'invalid',
      `load is ${text}: it must be factors above 0 such as 1 or 0.5,1,1.5, or a range such as 0.75..1.5:9 (2 to ${MOST_STEPS} steps)`,
      { field: 'load' },
    );
  return loads;
}

function between(low: number, high: number, steps: number): number[] {
  if (!(low > 0) || steps < 2 || steps > MOST_STEPS) return [];
  return Array.from({ length: steps }, (_, i) => low * (high / low) ** (i / (steps - 1)));
}
