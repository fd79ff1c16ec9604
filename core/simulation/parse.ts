/** Reads a scenario file, and refuses what could only be simulated into nonsense. */
import { Fault } from '../errors.ts';
import { problemOf, short } from './problem.ts';
import { requestsBetween } from './rate.ts';
import { Scenario, type SimulatedTarget, type Traffic } from './scenario.ts';

/** Requests of a scenario at most: two to three kilobytes are kept of each, 855 MB were seen with 300,000. */
export const MOST_REQUESTS = 500_000;

/**
 * @param file parsed JSON
 * @throws Fault `invalid` naming the field
 */
export function parseScenario(file: unknown): Scenario {
  if (typeof file !== 'object' || file === null || Array.isArray(file))
    throw invalid('', `must be an object with name, about, seconds, targets, traffic; is ${short(file)}`);
  const parsed = Scenario.safeParse(file);
  if (!parsed.success) {
    const { field, message } = problemOf(parsed.error, file);
    throw invalid(field, message);
  }
  const { seconds, warmupSeconds, traffic } = parsed.data;
  const targets = parsed.data.targets.flatMap(copiesOf);
  checkTargets(targets);
  if (warmupSeconds >= seconds)
    throw invalid('warmupSeconds', `must be less than seconds, ${seconds}; is ${warmupSeconds}`);
  traffic.forEach((stream, i) => checkTraffic(stream, `traffic.${i}`, targets, seconds));
  const scenario = { ...parsed.data, targets };
  checkSize(scenario);
  return scenario;
}

function copiesOf({ copies, ...target }: SimulatedTarget): SimulatedTarget[] {
  if (copies === 1) return [{ ...target, copies }];
  return Array.from({ length: copies }, (_, i) => ({ ...target, copies: 1, id: `${target.id}-${i + 1}` }));
}

function checkTargets(targets: readonly SimulatedTarget[]): void {
  const seen = new Set<string>();
  for (const { id, discipline, cold } of targets) {
    if (seen.has(id)) throw invalid('targets', `there are two called ${id}`);
    if (discipline === 'shared' && cold !== undefined)
      throw invalid('targets', `${id}: cold starts are of lanes, a shared target has none`);
    seen.add(id);
  }
}

function checkTraffic(
  { rate, trace, pin }: Traffic,
  field: string,
  targets: readonly SimulatedTarget[],
  seconds: number,
): void {
  if ((rate === undefined) === (trace === undefined))
    throw invalid(field, 'must have either a rate or a trace');
  if (rate?.some(([at], k) => k > 0 && at < rate[k - 1]![0]) === true)
    throw invalid(`${field}.rate`, 'its times must not go back');
  if (pin !== undefined && !targets.some(({ place }) => place === pin))
    throw invalid(`${field}.pin`, `there is no target at the ${pin}`);
  const isNever = requestsOf({ rate, trace }, 0, seconds * 1000) === 0;
  if (isNever)
    throw invalid(
      `${field}.${rate === undefined ? 'trace' : 'rate'}`,
      `must give requests within the scenario's ${seconds} s; gives none`,
    );
}

/**
 * Whether there is something to measure, and not too much to hold.
 * @param load multiplies the requests
 * @throws Fault `invalid` naming the field
 */
export function checkSize({ seconds, warmupSeconds, traffic }: Scenario, load = 1): void {
  const endMs = seconds * 1000;
  const counts = traffic.map((stream) => load * requestsOf(stream, 0, endMs));
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all > MOST_REQUESTS) {
    const most = counts.indexOf(Math.max(...counts));
    const field = `traffic.${most}.${traffic[most]!.rate === undefined ? 'trace' : 'rate'}`;
    throw invalid(
      field,
      `the scenario comes to about ${all.toPrecision(3)} requests in ${seconds} s at load ${load}; at most ${MOST_REQUESTS} are simulated`,
    );
  }
  if (traffic.every((stream) => requestsOf(stream, warmupSeconds * 1000, endMs) === 0))
    throw invalid('traffic', `has no request after the warm-up of ${warmupSeconds} s: nothing is measured`);
}

function requestsOf({ rate, trace = [] }: Pick<Traffic, 'rate' | 'trace'>, fromMs: number, toMs: number) {
  if (rate !== undefined) return requestsBetween(rate, fromMs, toMs);
  return trace.filter((at) => at >= fromMs && at < toMs).length;
}

const invalid = (field: string, message: string) =>
  new Fault('invalid', field === '' ? `scenario: ${message}` : `scenario: ${field}: ${message}`, {
    field: field === '' ? 'scenario' : field,
  });
