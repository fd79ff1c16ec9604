import { describe, expect, it } from 'vitest';
import type { RoutingView, TargetView } from '../../../core/contracts/routing.ts';
import { conditionOf } from '../../../functions/router/dashboard/condition.js';
import { byPlace, lateness, targetsToShow, titleOf } from '../../../functions/router/dashboard/places.js';
import { rateAt, withReading, WINDOW_S } from '../../../functions/router/dashboard/rates.js';
// As the page begins: nothing is read yet, and nothing is wrong.
import { faults as FINE, known as nothing } from '../../../functions/router/dashboard/state.js';
import { batchAt, jobAt, trafficOf } from '../../e2e/dashboard-samples.ts';

const OFF: Partial<TargetView> = { configured: false, requests: 0, p50Ms: null, p95Ms: null, p99Ms: null };

describe('places', () => {
  const { targets, recent } = trafficOf(300, 100);
  const us: TargetView = { ...targets.cloud, requests: 200, errors: 3, p50Ms: 40, state: 'ejected' };
  const routing: RoutingView = {
    targets: {
      edge: targets.edge,
      cloud: { ...targets.cloud, ...OFF },
      'cloud-eu': targets.cloud,
      'cloud-us': us,
    },
    recent: recent.map((row) => ({ ...row, target: row.target === 'edge' ? 'edge-int8' : 'cloud-us' })),
  };

  it('are the sums of their targets, with the latency of the busiest', () => {
    expect(byPlace(targets)).toEqual({ edge: targets.edge, cloud: targets.cloud });
    expect(byPlace(routing.targets).cloud).toMatchObject({
      configured: true,
      state: 'healthy',
      requests: 300,
      errors: 3,
      p50Ms: 40,
    });
  });

  it('show no cloud of its own name where there are regions only', () => {
    expect(targetsToShow(routing).map(({ name }) => name)).toEqual(['edge', 'cloud-eu', 'cloud-us']);
    const alone = { ...routing, targets: { edge: targets.edge, cloud: { ...targets.cloud, ...OFF } } };
    expect(targetsToShow(alone).map(({ name }) => name)).toEqual(['edge', 'cloud']);
    expect(titleOf('cloud-us')).toBe('Cloud-us');
  });

  it('are late by the median of what was expected and answered', () => {
    expect(lateness(routing, 'edge')).toBeCloseTo(-0.1, 9);
    expect(lateness(routing, 'cloud-us')).toBeCloseTo(8.6, 9);
    expect(lateness(routing, 'cloud-eu')).toBeUndefined();
  });
});

describe('rates', () => {
  type Readings = ReturnType<typeof withReading>;
  const read = (...all: (readonly [at: number, edge: number])[]) =>
    all.reduce<Readings>((readings, [at, edge]) => withReading(readings, { at, edge, cloud: 0 }), []);

  it('are over the last few readings', () => {
    expect(rateAt(read(), 'edge')).toBe(0);
    expect(rateAt(read([0, 100]), 'edge')).toBe(0);
    expect(rateAt(read([0, 100], [2, 140]), 'edge')).toBe(20);
    expect(rateAt(read([0, 1_000], [1, 0], [2, 10], [3, 20], [4, 30]), 'edge')).toBe(10);
    expect(rateAt(read([0, 0], [1, 10]), 'cloud')).toBe(0);
  });

  it('begin anew with smaller counters, and after a gap', () => {
    expect(rateAt(read([0, 900], [1, 5]), 'edge')).toBe(0);
    expect(rateAt(read([0, 900], [1, 5], [2, 9]), 'edge')).toBe(4);
    expect(rateAt(read([0, 0], [60, 600]), 'edge')).toBe(0);
  });

  it('keep what the chart shows', () => {
    const readings = read([0, 0], [10, 1], [WINDOW_S + 5, 2]);
    expect(readings.map(({ at }) => at)).toEqual([10, WINDOW_S + 5]);
  });
});

describe('the condition of the system', () => {
  const routed = (changes: Partial<TargetView> = {}) => {
    const view = trafficOf(20, 5, changes);
    return { ...view, places: byPlace(view.targets) };
  };

  it('idle where nothing happens', () => {
    const { nodes, links } = conditionOf(nothing, FINE);
    expect(nodes.client).toEqual(['', ['no requests now']]);
    expect(nodes.fleet).toEqual(['', ['idle']]);
    expect(nodes.bucket).toEqual(['', ['0 releases']]);
    expect(links.edge).toEqual(['', '']);
  });

  it('tells what requests and jobs make of it', () => {
    const readings = withReading(withReading([], { at: 0, edge: 0, cloud: 5 }), {
      at: 2,
      edge: 20,
      cloud: 5,
    });
    const jobs = [jobAt(9), batchAt(3), { ...jobAt(0), status: 'queued' as const }];
    const models = [{ name: 'mnist', releases: 2, channels: { stable: 2 } }];
    const { nodes, links } = conditionOf({ ...nothing, routing: routed(), readings, jobs, models }, FINE);
    expect(nodes.client).toEqual(['live', ['10.0/s']]);
    expect(links.edge).toEqual(['live', '10.0/s', 10]);
    expect(links.cloud).toEqual(['', '']);
    expect(nodes.jobs).toEqual(['live', ['2 jobs running', '1 queued']]);
    // Two shards, five parts, one plan.
    expect(nodes.queue).toEqual(['live', ['8 tasks open']]);
    expect(nodes.bucket[1]).toEqual(['2 releases', 'of 1 model']);
  });

  it('says what is out, and what is not there', () => {
    const ejected = conditionOf({ ...nothing, routing: routed({ state: 'ejected' }) }, FINE);
    expect(ejected.nodes.cloud[0]).toBe('bad');
    const off = conditionOf({ ...nothing, routing: routed(OFF) }, FINE);
    expect(off.nodes.cloud).toEqual(['off', ['not configured']]);
    expect(off.links['cloud-model'][0]).toBe('off');
    const fault = (status: number) => ({ status, message: 'no', token: 0 });
    const down = conditionOf(nothing, { routing: fault(0), jobs: fault(502), models: null });
    expect([down.nodes.router, down.nodes.jobs]).toEqual([
      ['bad', ['no answer']],
      ['bad', ['no answer']],
    ]);
    expect(conditionOf(nothing, { ...FINE, jobs: fault(401) }).nodes.jobs[0]).toBe('');
  });
});
