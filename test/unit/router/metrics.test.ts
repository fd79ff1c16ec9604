import { readFile } from 'node:fs/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Attempt, AttemptResult } from '../../../core/routing/state.ts';
import { initialState } from '../../../core/routing/state.ts';
import { targetConfig } from '../../../core/routing/targets.ts';
import { routerMetrics } from '../../../functions/router/metrics.ts';

const TARGETS = ['edge', 'cloud-eu', 'cloud-us'];
let metrics: ReturnType<typeof routerMetrics>;
beforeEach(() => {
  const state = initialState(TARGETS.map((id) => targetConfig(id, id === 'edge' ? 'edge' : 'cloud')));
  metrics = routerMetrics(
    TARGETS,
    () => state,
    () => 0,
  );
});

const attempt = (known: Partial<Attempt> = {}): Attempt => ({
  target: 'edge',
  model: 'm',
  bytes: 1,
  reason: 'edge-faster',
  startedAt: 0,
  queue: 0,
  share: 1,
  serviceMs: null,
  predictedMs: 10,
  isTry: false,
  infers: true,
  ...known,
});
const answer = (refused = false): AttemptResult => ({
  kind: 'answered',
  refused,
  cold: false,
  reported: null,
  serviceMs: null,
});
const samples = () =>
  metrics
    .text()
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));

describe('the list of metrics in docs/routing.md', () => {
  it('is what is exposed: names, types and labels', async () => {
    // One sample of each at least.
    metrics.answered('edge', 'edge-faster', 200);
    metrics.refused(400);
    metrics.attempted(attempt(), answer(), 1);
    metrics.fellBack('edge', 'cloud-eu');
    metrics.exchanged(true);
    metrics.askedLoad('edge', true);
    const text = metrics.text();
    const exposed = Array.from(text.matchAll(/^# TYPE (\S+) (\S+)$/gm), ([, name = '', type]) => {
      const sample = text
        .split('\n')
        .find((line) => line.startsWith(`${name}{`) || line.startsWith(`${name}_count{`));
      const labels = Array.from(sample?.matchAll(/(\w+)="/g) ?? [], ([, label]) => label);
      return `${name} ${type} ${labels.join(' ')}`;
    });
    const page = await readFile(new URL('../../../docs/routing.md', import.meta.url), 'utf8');
    const documented = Array.from(
      page.matchAll(/^\| `(causeway_\w+)` \| (\w+) \| ([^|]*) \|/gm),
      ([, name, type, labels = '']) =>
        `${name} ${type} ${Array.from(labels.matchAll(/`(\w+)`/g), ([, label]) => label).join(' ')}`,
    );
    expect(new Set(documented)).toEqual(new Set(exposed));
    expect(documented).toHaveLength(exposed.length);
  });
});

describe('the prediction error', () => {
  it('is by how much an answer was early or late', () => {
    metrics.attempted(attempt(), answer(), 7);
    metrics.attempted(attempt(), answer(), 10);
    metrics.attempted(attempt(), answer(), 510);
    metrics.attempted(attempt({ target: 'cloud-us' }), answer(), 12);
    expect(samples()).toEqual(
      expect.arrayContaining([
        'causeway_prediction_error_seconds_bucket{target="edge",answer="early",le="0.0005"} 1',
        'causeway_prediction_error_seconds_bucket{target="edge",answer="early",le="0.005"} 2',
        'causeway_prediction_error_seconds_sum{target="edge",answer="early"} 0.003',
        'causeway_prediction_error_seconds_count{target="edge",answer="early"} 2',
        'causeway_prediction_error_seconds_sum{target="edge",answer="late"} 0.5',
        'causeway_prediction_error_seconds_count{target="cloud-us",answer="late"} 1',
      ]),
    );
  });

  it('is not of what was not predicted, not answered, refused, or no inference', () => {
    metrics.attempted(attempt({ predictedMs: null }), answer(), 7);
    metrics.attempted(attempt(), { kind: 'timeout' }, 7);
    metrics.attempted(attempt(), answer(true), 7);
    metrics.attempted(attempt({ infers: false }), answer(), 7);
    expect(samples().filter((line) => line.startsWith('causeway_prediction_error'))).toEqual([]);
  });
});

it('what may happen at a target is there from the start, at 0, for every target', () => {
  for (const target of TARGETS)
    expect(samples()).toEqual(
      expect.arrayContaining([
        `causeway_hedges_total{target="${target}"} 0`,
        `causeway_probes_total{target="${target}"} 0`,
        `causeway_degraded_total{target="${target}",kind="variant"} 0`,
        `causeway_degraded_total{target="${target}",kind="cascade"} 0`,
        `causeway_ejections_total{target="${target}"} 0`,
        `causeway_in_flight{target="${target}"} 0`,
      ]),
    );
  metrics.degraded('edge', 'cascade');
  metrics.probed('cloud-us');
  expect(samples()).toContain('causeway_degraded_total{target="edge",kind="cascade"} 1');
  expect(samples()).toContain('causeway_probes_total{target="cloud-us"} 1');
});
