/** What the page knows. Readers write it and tell; whoever draws a part of it listens. */

/** @import { Faults, Known, Topic } from './types.ts' */

/** @type {Known} */
export const known = {
  routing: null,
  readings: [],
  jobs: [],
  job: null,
  jobAt: 0,
  following: undefined,
  jobFault: null,
  models: [],
  releases: new Map(),
  isRead: { jobs: false, models: false },
};

/** Why a part cannot be read now. @type {Faults} */
export const faults = { routing: null, jobs: null, models: null };

/** @type {Map<Topic, (() => void)[]>} */
const listeners = new Map();

/** @param {readonly Topic[]} topics @param {() => void} listener */
export function on(topics, listener) {
  for (const topic of topics) listeners.set(topic, [...(listeners.get(topic) ?? []), listener]);
}

/** @param {Topic} topic */
export function tell(topic) {
  for (const listener of listeners.get(topic) ?? []) listener();
}

/** @param {string} id */
export const isListed = (id) => known.jobs.some(({ job }) => job === id);
