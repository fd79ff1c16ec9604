/** The two places a request goes to, and the targets there are in each. Pure. */

/** @import { Place, RoutingView, TargetView } from './types.ts' */

/** Told apart by shape too. @type {Readonly<Record<Place, { sign: string, name: string }>>} */
export const PLACES = { edge: { sign: '●', name: 'Edge' }, cloud: { sign: '◆', name: 'Cloud' } };

/** @type {readonly Place[]} */
export const PLACE_NAMES = ['edge', 'cloud'];

/** A target's name begins with its place: edge-int8, cloud-eu. @param {string} target @returns {Place} */
export const placeOf = (target) => (target.startsWith('edge') ? 'edge' : 'cloud');

/** @param {string} target */
export const titleOf = (target) => target.replace(placeOf(target), PLACES[placeOf(target)].name);

/**
 * The targets of a place as one: sums, and the latency of the one that has the most requests.
 * @param {readonly [TargetView, ...TargetView[]]} views
 * @returns {TargetView}
 */
function together(views) {
  const there = views.filter((view) => view.configured);
  if (there.length < 2) return there[0] ?? views[0];
  /** @param {(view: TargetView) => number} of */
  const sum = (of) => there.reduce((total, view) => total + of(view), 0);
  return {
    ...there.reduce((best, view) => (view.requests > best.requests ? view : best)),
    state: there.some((view) => view.state === 'healthy') ? 'healthy' : 'ejected',
    inFlight: sum((view) => view.inFlight),
    requests: sum((view) => view.requests),
    errors: sum((view) => view.errors),
  };
}

/**
 * @param {RoutingView['targets']} targets
 * @returns {Record<Place, TargetView>}
 */
export function byPlace(targets) {
  /** @param {Place} place @returns {TargetView[]} */
  const others = (place) =>
    Object.entries(targets)
      .filter(([name]) => placeOf(name) === place && name !== place)
      .map(([, view]) => view);
  return {
    edge: together([targets.edge, ...others('edge')]),
    cloud: together([targets.cloud, ...others('cloud')]),
  };
}

/**
 * Where the cloud has regions only, there is nothing of its own name.
 * @param {RoutingView} routing
 * @returns {{ name: string, view: TargetView }[]}
 */
export function targetsToShow({ targets }) {
  const places = byPlace(targets);
  return Object.entries(targets)
    .filter(([name, view]) => view.configured || !places[placeOf(name)].configured)
    .map(([name, view]) => ({ name, view }));
}

/**
 * A decision names the variant too, edge-int8: it is the target's that its name begins with, the longest there is.
 * @param {RoutingView['targets']} targets
 * @param {string} decided
 */
function decidedFor(targets, decided) {
  return Object.keys(targets)
    .filter((target) => decided === target || decided.startsWith(`${target}-`))
    .sort((a, b) => b.length - a.length)[0];
}

/**
 * By how much later than expected the target's recent answers came: the median. Below zero they came earlier.
 * @param {RoutingView} routing
 * @param {string} target
 * @returns {number | undefined} milliseconds; undefined where nothing was expected
 */
export function lateness({ targets, recent }, target) {
  const late = recent
    .filter((row) => decidedFor(targets, row.target) === target && row.status < 400)
    .flatMap((row) => (row.predictedMs === null ? [] : [row.actualMs - row.predictedMs]))
    .sort((a, b) => a - b);
  return late[late.length >> 1];
}
