/** Contenders beside each other under growing load, and the figures as a plot. */
import { atLoad } from './load.ts';
import { checkSize } from './parse.ts';
import { type Figure, type Panel, plot } from './plot.ts';
import { type Report, reportOf } from './report.ts';
import { type Contender, simulate } from './run.ts';
import type { Scenario } from './scenario.ts';

export interface Row {
  readonly contender: Contender;
  readonly load: number;
  readonly report: Report;
}

export interface Comparison {
  readonly contenders: readonly Contender[];
  readonly loads: readonly number[];
  readonly seed: number;
}

/**
 * All contenders at the first load, then at the next: each sees the same requests.
 * @throws Fault `invalid`, before anything is computed, where one of the loads is too much to simulate
 */
export function* compare(scenario: Scenario, { contenders, loads, seed }: Comparison): Generator<Row> {
  for (const load of loads) checkSize(scenario, load);
  for (const load of loads) {
    const loaded = atLoad(scenario, load);
    for (const contender of contenders)
      yield { contender, load, report: reportOf(simulate(loaded, contender, seed)) };
  }
}

/** Whether it does what the use asks for; undefined: nothing is asked, or nothing was measured. */
export function meetsObjective(
  { objective }: Scenario,
  { requests, p99Ms, missed }: Report,
): boolean | undefined {
  if (objective === undefined || requests === 0) return undefined;
  return p99Ms <= (objective.p99Ms ?? Infinity) && missed <= (objective.missShare ?? 1);
}

const PERCENTILES = [
  ['median', 'p50Ms'],
  ['99th percentile', 'p99Ms'],
  ['99.9th percentile', 'p999Ms'],
] as const satisfies readonly (readonly [string, keyof Report])[];

/** Latency percentiles against load, a panel for each percentile. */
export function figureOf({ name, objective }: Scenario, rows: readonly Row[]): Figure {
  const contenders = [...new Set(rows.map(({ contender }) => contender))];
  return {
    title: `${name}: latency against load`,
    x: 'load, relative',
    y: 'ms',
    panels: PERCENTILES.map(([title, key]): Panel => {
      const goal = key === 'p99Ms' ? objective?.p99Ms : undefined;
      return {
        title,
        limit: goal === undefined ? undefined : { name: `objective ${goal} ms`, at: goal },
        series: contenders.map((contender) => ({
          name: contender,
          points: rows
            .filter((row) => row.contender === contender && row.report.requests > 0)
            .map(({ load, report }): [number, number] => [load, report[key]]),
        })),
      };
    }),
  };
}

export const plotOf = (scenario: Scenario, rows: readonly Row[]): string => plot(figureOf(scenario, rows));
