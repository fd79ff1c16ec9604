/** What the page knows. Readers write it and tell; whoever draws a part of it listens. */

/** @typedef {import('../../../core/contracts/job.ts').JobView} JobView */
/** @typedef {import('../../../core/contracts/job.ts').TrainView} TrainView */
/** @typedef {import('../../../core/contracts/job.ts').JobList['jobs'][number]} ListedJob without its history */
/** @typedef {import('../../../core/contracts/release.ts').ModelList['models'][number]} Model */
/** @typedef {import('../../../core/contracts/release.ts').Release} Release */
/** @typedef {import('../../../core/contracts/routing.ts').RoutingView} RoutingView */
/** @typedef {import('./places.js').Place} Place */
/** @typedef {import('./api.js').Refusal} Refusal */
/** @typedef {'routing' | 'jobs' | 'models'} Part what is read on its own, and fails on its own */
/** @typedef {Part | 'job' | 'following' | 'faults' | 'refresh'} Topic */

/**
 * @typedef {object} Known
 * @property {(RoutingView & { places: Record<Place, import('./places.js').TargetView> }) | null} routing
 * @property {import('./rates.js').Reading[]} readings
 * @property {ListedJob[]} jobs newest first
 * @property {JobView | null} job the one that is shown
 * @property {number} jobAt when it was told, milliseconds, monotonic
 * @property {string | undefined} following its id, known before the job itself is
 * @property {string | null} jobFault why it cannot be read now
 * @property {Model[]} models
 * @property {Map<string, Release[]>} releases of each model, newest first
 * @property {Record<'jobs' | 'models', boolean>} isRead at least once
 */
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

/** Why a part cannot be read now. @type {Record<Part, Refusal | null>} */
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
