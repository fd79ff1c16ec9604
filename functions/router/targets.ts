/** The targets of a deployment, from its variables: the edge first, then the cloud's regions as they are written. */
import { Fault } from '../../core/errors.ts';
import { EDGE, PLACES, type TargetConfig, targetConfig, type TargetId } from '../../core/routing/targets.ts';
import { VARIANT_NAMES } from '../../core/registry/variant-names.ts';

/** Variables that say what targets there are; '' is as good as absent. */
export interface TargetVariables {
  /** Function URL of cloud inference: the target `cloud`. Without it and CLOUD_REGIONS: edge only. */
  readonly CLOUD_URL?: string;
  /** Further ones by region, JSON: `{"eu": {"url": "https://…", "cost": 3}}` is the target `cloud-eu`. */
  readonly CLOUD_REGIONS?: string;
  /** Money for a request at the edge, and at CLOUD_URL: millionths of a US dollar. 0 where left out. */
  readonly EDGE_COST?: string;
  readonly CLOUD_COST?: string;
  /** Requests in flight to one target, others' that it reports included; the next goes elsewhere or is refused. */
  readonly MAX_IN_FLIGHT?: string;
}

export interface DeployedTarget {
  readonly config: TargetConfig;
  /** Without a slash at its end; undefined: the inference Worker, behind its binding. */
  readonly url: string | undefined;
}

/** As many as may wait in the inference Worker, core/inference/config.ts. */
const MAX_IN_FLIGHT = 256;
const MOST_IN_FLIGHT = 100_000;
const MOST_COST = 1e9;
const MOST_REGIONS = 16;
/** `cloud-only` is an exclusion, not a target. */
const REGION = /^(?!only$)[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/;

export const misconfigured = (name: string, what: string) =>
  new Fault('unavailable', `the router is misconfigured: ${name} ${what}`, { field: name });

/** A variable that is set to nothing is not set. */
export const textOf = (text: string | undefined) => (text === undefined || text === '' ? undefined : text);

/** @throws Fault `unavailable` naming the variable */
export function targetsOf(variables: TargetVariables): DeployedTarget[] {
  const limit = numberOf(variables, 'MAX_IN_FLIGHT', { fallback: MAX_IN_FLIGHT, most: MOST_IN_FLIGHT });
  if (limit < 1 || !Number.isInteger(limit))
    throw misconfigured('MAX_IN_FLIGHT', 'must be a whole number from 1');
  const costOf = (name: 'EDGE_COST' | 'CLOUD_COST') =>
    numberOf(variables, name, { fallback: 0, most: MOST_COST });
  const targets: DeployedTarget[] = [
    { config: targetConfig(EDGE, 'edge', { limit, cost: costOf('EDGE_COST') }), url: undefined },
  ];
  const cloud = textOf(variables.CLOUD_URL);
  if (cloud !== undefined)
    targets.push({
      config: targetConfig('cloud', 'cloud', { limit, cost: costOf('CLOUD_COST') }),
      url: urlOf('CLOUD_URL', cloud),
    });
  for (const { name, url, cost } of regionsOf(textOf(variables.CLOUD_REGIONS)))
    targets.push({ config: targetConfig(`cloud-${name}`, 'cloud', { limit, cost }), url });
  return targets;
}

interface Region {
  readonly name: string;
  readonly url: string;
  readonly cost: number;
}

function regionsOf(text: string | undefined): Region[] {
  if (text === undefined) return [];
  const wrong = (what: string) => misconfigured('CLOUD_REGIONS', what);
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    throw wrong('must be JSON');
  }
  if (!isObject(given)) throw wrong('must be an object of regions by name');
  const names = Object.keys(given);
  if (names.length > MOST_REGIONS) throw wrong(`may have ${MOST_REGIONS} regions, not ${names.length}`);
  return names.map((name) => {
    const region = given[name];
    if (!REGION.test(name))
      throw wrong(`${JSON.stringify(name)}: a name is 1 to 32 of a-z 0-9 and - between them, and not only`);
    if (!isObject(region) || typeof region['url'] !== 'string')
      throw wrong(`${name}: must be an object with a url`);
    const { url, cost = 0, ...rest } = region;
    const [unknown] = Object.keys(rest);
    if (unknown !== undefined) throw wrong(`${name}.${unknown}: unknown; a region has a url and a cost`);
    if (typeof cost !== 'number' || !(cost >= 0 && cost <= MOST_COST))
      throw wrong(`${name}.cost: must be a number from 0 to ${MOST_COST}`);
    return { name, url: urlOf('CLOUD_REGIONS', url, `${name}.url: `), cost };
  });
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Without the slash at its end: paths begin with one. @param where in the variable, for the fault */
export function urlOf(variable: string, text: string, where = ''): string {
  const url = URL.parse(text);
  const isPlain = url !== null && url.search === '' && url.hash === '' && url.username === '';
  if (!isPlain || !/^https?:$/.test(url.protocol))
    throw misconfigured(variable, `${where}must be an http or https URL`);
  return url.href.replace(/\/+$/, '');
}

function numberOf(
  variables: TargetVariables,
  name: 'EDGE_COST' | 'CLOUD_COST' | 'MAX_IN_FLIGHT',
  { fallback, most }: { readonly fallback: number; readonly most: number },
): number {
  const text = textOf(variables[name]);
  if (text === undefined) return fallback;
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value <= most) return value;
  throw misconfigured(name, `must be a number from 0 to ${most}`);
}

/** What a request may name: places, targets, and the edge's variants. */
export function namesOf(targets: readonly DeployedTarget[]): ReadonlySet<TargetId> {
  const places = PLACES.filter((place) => targets.some(({ config }) => config.place === place));
  const ids = targets.map(({ config }) => config.id);
  return new Set([...places, ...ids, ...VARIANT_NAMES.map((name) => `${EDGE}-${name}`)]);
}
