/** Where requests can be answered. */

export const PLACES = ['edge', 'cloud'] as const;
export type Place = (typeof PLACES)[number];

/**
 * Unique among the targets of a deployment: `edge`, `cloud`, `cloud-eu`; and where a target serves several variants of
 * a model, one for each of them: `edge-int8`, see variants.ts.
 */
export type TargetId = string;

/** What is known of a target before any request: a deployment's configuration, or a scenario's. */
export interface TargetConfig {
  readonly id: TargetId;
  readonly place: Place;
  /**
   * Requests it works on at once; further ones queue. An isolate runs one model at a time; Lambda gives each request an
   * environment of its own, and this many is where starting them shows.
   */
  readonly lanes: number;
  /** Money for one request, in millionths of a dollar; what the router weighs, not what is billed. */
  readonly cost: number;
  /** Relative capacity, for policies that know nothing else. */
  readonly weight: number;
  /** Requests that may be there at once, at work and waiting; no further one is sent. Infinity: no bound. */
  readonly limit: number;
}

const DEFAULTS = {
  edge: { lanes: 1, cost: 0, weight: 1, limit: Infinity },
  cloud: { lanes: 32, cost: 0, weight: 1, limit: Infinity },
} as const satisfies Readonly<Record<Place, Omit<TargetConfig, 'id' | 'place'>>>;

/** A target with the usual figures of its place. */
export function targetConfig(id: TargetId, place: Place, known: Partial<TargetConfig> = {}): TargetConfig {
  return { ...DEFAULTS[place], ...known, id, place };
}

/** The one target at the edge: the inference Worker of the deployment. */
export const EDGE: TargetId = 'edge';
