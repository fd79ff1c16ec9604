/** Where requests can be answered. */

export const PLACES = ['edge', 'cloud'] as const;
export type Place = (typeof PLACES)[number];

/** Unique among the targets of a deployment: `edge`, `edge-int8`, `cloud`, `cloud-eu`. */
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
}

const DEFAULTS = {
  edge: { lanes: 1, cost: 0, weight: 1 },
  cloud: { lanes: 32, cost: 0, weight: 1 },
} as const satisfies Readonly<Record<Place, Omit<TargetConfig, 'id' | 'place'>>>;

/** A target with the usual figures of its place. */
export function targetConfig(id: TargetId, place: Place, known: Partial<TargetConfig> = {}): TargetConfig {
  return { ...DEFAULTS[place], ...known, id, place };
}

/** The targets of a deployment with one of each place, the edge first. */
export const TARGETS = PLACES;
export type TargetName = Place;
