import { expect, it } from 'vitest';
import type { RouteRequest } from '../../../core/routing/policy.ts';
import { PLACES, targetConfig } from '../../../core/routing/targets.ts';
import { createExplainer } from '../../../functions/router/explainer.ts';
import { createIsolate } from '../../../functions/router/isolate.ts';
import type { Sent } from '../../../functions/router/sent.ts';

const ask = (known: Partial<RouteRequest> = {}): RouteRequest => ({
  model: 'm',
  bytes: 1,
  pin: undefined,
  deadlineMs: 1_000,
  tried: [],
  ...known,
});

/** Both targets answered in 10 ms. @param draw of every lot */
function started(draw: number) {
  let now = 0;
  const clock = () => now;
  const isolate = createIsolate({
    policy: 'predictive',
    targets: PLACES.map((place) => targetConfig(place, place)),
    clock,
    wallClock: clock,
    random: () => draw,
  });
  const finish = (sent: Sent) =>
    isolate.finish(sent, { kind: 'answered', refused: false, cold: false, reported: null, serviceMs: null });
  const pass = (ms: number) => (now += ms);
  for (const pin of ['edge', 'cloud'] as const)
    for (let i = 0; i < 2; i++) {
      const { sent } = isolate.begin(ask({ pin }), true)!;
      pass(10);
      finish(sent);
    }
  return { isolate, finish, pass, explainer: createExplainer('predictive', clock) };
}
const sample = (text: string, series: string) =>
  text
    .split('\n')
    .find((line) => line.startsWith(`${series} `))
    ?.split(' ')[1];

it('a copy to learn from is counted as a probe, and told in the explanation', () => {
  const { isolate, pass, explainer } = started(0);
  // Both are stale by then, and the lot falls on the other one.
  pass(20_000);
  const { sent, shadow } = isolate.begin(ask(), true, explainer)!;
  expect(shadow?.attempt).toMatchObject({ target: 'cloud', reason: 'probe' });
  expect(sent.attempt.target).toBe('edge');
  explainer.sent(sent);
  explainer.sent(shadow!);
  expect(explainer.explanation(200)).toMatchObject({
    decisions: [{ target: 'edge', shadow: 'cloud' }],
    attempts: [{ target: 'edge' }, { target: 'cloud', reason: 'probe', result: 'under-way', actualMs: null }],
  });
  expect(sample(isolate.metricsText(), 'causeway_probes_total{target="cloud"}')).toBe('1');
  expect(sample(isolate.metricsText(), 'causeway_probes_total{target="edge"}')).toBe('0');
});

it('a hedge that was due when the budget was spent is told as that', () => {
  const { isolate, finish, explainer } = started(0.5);
  const late = ask({ tried: ['edge'] });
  let hedges = 0;
  for (let sent = isolate.hedge(late); sent !== undefined; sent = isolate.hedge(late)) {
    hedges += 1;
    finish(sent);
  }
  expect(hedges).toBe(5);
  expect(sample(isolate.metricsText(), 'causeway_hedges_total{target="cloud"}')).toBe('5');
  expect(isolate.hedge(late, explainer)).toBeUndefined();
  const nowhere = ask({ tried: ['edge', 'cloud'] });
  expect(isolate.hedge(nowhere, explainer)).toBeUndefined();
  expect(explainer.explanation(200)!.decisions).toMatchObject([
    { kind: 'hedge', target: null, outOfBudget: true, targets: [{ excluded: 'tried' }, { excluded: null }] },
    { kind: 'hedge', target: null, outOfBudget: false },
  ]);
});

it('degraded answers are counted by who gave them and how they are less', () => {
  const { isolate } = started(0.5);
  isolate.degraded('edge', 'cascade');
  isolate.degraded('edge', 'variant');
  isolate.degraded('edge', 'variant');
  const text = isolate.metricsText();
  expect(sample(text, 'causeway_degraded_total{target="edge",kind="cascade"}')).toBe('1');
  expect(sample(text, 'causeway_degraded_total{target="edge",kind="variant"}')).toBe('2');
});
