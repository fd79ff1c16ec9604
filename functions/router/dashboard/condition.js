/** What each node and link of the system has to say now. Pure. */
import { count, ms, perSecond, plural, short } from './format.js';
import { speedOf, tasksOf } from './job-words.js';
import { rateAt } from './rates.js';
/**
 * @import { Faults, Known, LinkCondition, LinkName, NodeCondition, NodeName, State, TargetView } from './types.ts'
 */

/**
 * @param {TargetView | undefined} view
 * @param {number} rate
 * @returns {{ node: NodeCondition, link: LinkCondition }}
 */
function targetOf(view, rate) {
  if (view === undefined) return { node: ['', []], link: ['', ''] };
  if (!view.configured) return { node: ['off', ['not configured']], link: ['off', ''] };
  if (view.state === 'ejected')
    return { node: ['bad', ['ejected', 'errors: resting']], link: ['off', 'ejected'] };
  const facts =
    view.p50Ms === null ? ['no request yet'] : [`p50 ${ms(view.p50Ms)}`, `${count(view.inFlight)} in flight`];
  return rate > 0
    ? { node: ['live', facts], link: ['live', perSecond(rate), rate] }
    : { node: ['', facts], link: ['', ''] };
}

/**
 * @param {Known} known
 * @param {Faults} faults
 * @returns {{ nodes: Record<NodeName, NodeCondition>, links: Record<LinkName, LinkCondition> }}
 */
export function conditionOf({ routing, readings, jobs, models }, faults) {
  const rates = { edge: rateAt(readings, 'edge'), cloud: rateAt(readings, 'cloud') };
  const total = rates.edge + rates.cloud;
  /** @type {State} */
  const flow = total > 0 ? 'live' : '';
  const edge = targetOf(routing?.places.edge, rates.edge);
  const cloud = targetOf(routing?.places.cloud, rates.cloud);
  const routed = routing === null ? 0 : routing.places.edge.requests + routing.places.cloud.requests;

  const running = jobs.filter((job) => job.status === 'running');
  const queued = jobs.filter((job) => job.status === 'queued').length;
  const open = running.reduce((sum, job) => sum + tasksOf(job), queued);
  const speed = running.reduce((sum, job) => sum + speedOf(job), 0);
  const releases = models.reduce((sum, model) => sum + model.releases, 0);
  /** @type {State} */
  const work = running.length > 0 ? 'live' : '';
  const api = faults.jobs?.status;
  const waiting = queued > 0 ? [`${queued} queued`] : [];

  return {
    nodes: {
      client: [flow, [total > 0 ? perSecond(total) : 'no requests now']],
      router:
        faults.routing?.status === 0
          ? ['bad', ['no answer']]
          : [flow, routing === null ? [] : [`${short(routed)} routed`]],
      edge: edge.node,
      cloud: cloud.node,
      jobs:
        api !== undefined && (api === 0 || api >= 500)
          ? ['bad', ['no answer']]
          : [work, [`${plural(running.length, 'job')} running`, ...waiting]],
      queue: [open > 0 ? 'live' : '', [open > 0 ? `${plural(open, 'task')} open` : 'empty']],
      fleet: [work, [work ? `${short(speed)} samples/s` : 'idle']],
      bucket: [
        work,
        [plural(releases, 'release'), ...(models.length > 0 ? [`of ${plural(models.length, 'model')}`] : [])],
      ],
    },
    links: {
      request: [flow, '', total],
      edge: edge.link,
      cloud: cloud.link,
      submit: ['', 'jobs'],
      task: [queued > 0 ? 'live' : '', '', 1],
      work: [work, work && 'shards', 5],
      result: [work, 'updates', 5],
      'edge-model': ['', 'releases'],
      'cloud-model': [cloud.node[0] === 'off' ? 'off' : '', 'releases'],
    },
  };
}
