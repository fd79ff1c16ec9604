/** Several variants at one target: chosen between, degraded to, and one isolate all the same. */
import { describe, expect, it } from 'vitest';
import { decide } from '../../../core/routing/decide.ts';
import { BELIEVED_MS } from '../../../core/routing/admission.ts';
import { COPY_EVERY } from '../../../core/routing/policies/predictive.ts';
import { POLICIES } from '../../../core/routing/policies/table.ts';
import { predict, type RouteRequest, type TargetSnapshot } from '../../../core/routing/policy.ts';
import {
  attemptOf,
  type AttemptResult,
  ended,
  initialState,
  type RoutingState,
  snapshot,
  started,
} from '../../../core/routing/state.ts';
import { targetConfig } from '../../../core/routing/targets.ts';
import { type TargetVariant, variantsOf } from '../../../core/routing/variants.ts';
import { ask, cloud, NOW, variants } from './snapshots.ts';

const NEVER = () => 1 - 2 ** -32;
const run = (targets: readonly TargetSnapshot[], request: Partial<RouteRequest> = {}, random = NEVER) =>
  decide(POLICIES.predictive, { request: ask(request), targets, now: NOW, random }, null);
const choose = (...args: Parameters<typeof run>) => {
  const choice = run(...args);
  return choice && `${choice.target} ${choice.reason}`;
};
const unknown = { latencyMs: null, learnedAt: null, answeredAt: null };
const gone = cloud({ latencyMs: 900 });

describe('of two variants', () => {
  it.each([
    [
      'the quicker one',
      [...variants('int8', [{ latencyMs: 9 }, { latencyMs: 4 }]), gone],
      {},
      'edge-fp32 edge-faster',
    ],
    [
      'the usual one of equals, not one at random',
      [...variants('int8', [{}, {}]), gone],
      {},
      'edge-int8 edge-faster',
    ],
    [
      'not the one that may have to be loaded',
      [...variants('int8', [{}, unknown]), gone],
      {},
      'edge-int8 edge-faster',
    ],
    ['the pinned one', [...variants('int8', [{}, unknown]), gone], { pin: 'edge-fp32' }, 'edge-fp32 pinned'],
    ['either, by place', [...variants('int8', [{}, {}]), gone], { pin: 'edge' }, 'edge-int8 pinned'],
    [
      'the other one, where one is excluded',
      [...variants('int8', [{}, {}])],
      { exclude: ['edge-int8'] },
      'edge-fp32 only-target',
    ],
    [
      'neither, where the place is excluded',
      [...variants('int8', [{}, {}]), gone],
      { exclude: ['edge'] },
      'cloud only-target',
    ],
    [
      'the less exact one not, however quick',
      [...variants('fp32', [{}, { latencyMs: 1 }]), gone],
      {},
      'edge-fp32 edge-faster',
    ],
    [
      'the less exact one where nothing else is in time',
      [...variants('fp32', [{}, { latencyMs: 1 }]), gone],
      { deadlineMs: 5 },
      'edge-int8 degraded',
    ],
    [
      'not where the cloud is in time',
      [...variants('fp32', [{}, { latencyMs: 1 }]), cloud({ latencyMs: 4 })],
      { deadlineMs: 5 },
      'cloud cloud-faster',
    ],
    [
      'not where it is late too',
      [...variants('fp32', [{}, { latencyMs: 6 }]), gone],
      { deadlineMs: 5 },
      'edge-fp32 edge-faster',
    ],
    [
      'the less exact one where all else is full',
      [...variants('fp32', [{ inFlight: 2, lanes: 4 }, {}]), cloud({ inFlight: 2, lanes: 4, limit: 2 })],
      { pin: 'cloud' },
      'cloud pinned',
    ],
  ] as const)('%s', (_, targets, request, expected) => {
    expect(choose(targets, request)).toBe(expected);
  });

  it('of the less exact one nothing is known: one request finds out, no crowd', () => {
    const at = (inFlight: number) =>
      choose([...variants('fp32', [{ inFlight }, unknown]), gone], { deadlineMs: 5 });
    expect([at(0), at(1)]).toEqual(['edge-int8 degraded', 'edge-fp32 edge-faster']);
  });

  it('the less exact one is learned about beside requests, while there is need to', () => {
    const shadow = (known: Partial<TargetSnapshot>, random = () => 0.99 / COPY_EVERY) =>
      run([...variants('fp32', [{}, known]), gone], {}, random)!.shadow?.target;
    expect(shadow(unknown)).toBe('edge-int8');
    expect(shadow({ answeredAt: NOW - BELIEVED_MS - 1 })).toBe('edge-int8');
    expect(shadow({ answeredAt: NOW })).toBeUndefined();
    expect(shadow(unknown, () => 1 / COPY_EVERY)).toBeUndefined();
  });

  it('a request that failed goes to another isolate before the same', () => {
    const both = variants('int8', [{}, { latencyMs: 1 }]);
    const failed = { tried: ['edge-int8'] };
    expect(choose([...both, gone], failed)).toBe('cloud fallback');
    expect(choose([...both, cloud({ health: 'ejected' })], failed)).toBe('edge-fp32 fallback');
    expect(choose(both, failed)).toBe('edge-fp32 fallback');
    expect(choose([...both, gone], { tried: ['edge-int8', 'cloud'] })).toBe('edge-fp32 fallback');
    expect(choose([...both, cloud({ inFlight: 3, limit: 3 })], failed)).toBe('edge-fp32 fallback');
  });

  it('no time is kept back for a fallback to the same isolate', () => {
    expect(run(variants('int8', [{}, {}]))!.limitMs).toBe(10_000);
  });
});

describe('one isolate', () => {
  const [int8, fp32] = variantsOf('edge', ['int8', 'fp32']) as [TargetVariant, TargetVariant];
  const both = { model: 'm', bytes: 100, variants: [int8, fp32] };
  const answered: AttemptResult = {
    kind: 'answered',
    refused: false,
    cold: false,
    reported: null,
    serviceMs: null,
  };
  const begin = (state: RoutingState, variant: TargetVariant | undefined, now: number) => {
    const asked = { target: variant?.id ?? 'edge', variant, model: 'm', bytes: 100 };
    const attempt = attemptOf(
      state,
      { ...asked, reason: 'edge-faster', infers: true, predictedMs: null },
      now,
    );
    return [started(state, attempt), attempt] as const;
  };
  const go = (
    state: RoutingState,
    variant: TargetVariant | undefined,
    at: number,
    result: AttemptResult = answered,
  ) => {
    const [next, attempt] = begin(state, variant, at);
    return ended(next, attempt, result, at + (variant === fp32 ? 4 : 9));
  };
  const fresh = initialState([targetConfig('edge', 'edge'), targetConfig('cloud', 'cloud')]);
  const seen = (state: RoutingState, now: number) =>
    new Map(snapshot(state, both, now).map((each) => [each.id, each]));

  it('is one target while nothing is known of variants', () => {
    const asked = { model: 'm', bytes: 100 };
    expect(snapshot(fresh, asked, 0).map(({ id }) => id)).toEqual(['edge', 'cloud']);
    expect(snapshot(fresh, { ...asked, variants: [] }, 0).map(({ id }) => id)).toEqual(['edge', 'cloud']);
    expect(snapshot(fresh, both, 0).map(({ id }) => id)).toEqual(['edge-int8', 'edge-fp32', 'cloud']);
    expect(variantsOf('edge', ['int8'])).toEqual([]);
  });

  it('learns each by itself, and forgets nothing of the usual one when another comes', () => {
    const state = go(go(fresh, undefined, 0), fp32, 100);
    const ms = (id: string) => predict(seen(state, 200).get(id)!).predictedMs;
    expect([ms('edge-int8'), ms('edge-fp32'), ms('cloud')]).toEqual([9, 4, null]);
  });

  it('has one queue and one health', () => {
    const [busy] = begin(go(go(fresh, int8, 0), fp32, 100), int8, 200);
    const [, other] = snapshot(busy, both, 200);
    expect(other).toMatchObject({ id: 'edge-fp32', inFlight: 1 });
    expect(other!.parts!.queue).toBeCloseTo(9);
    let state = fresh;
    for (let i = 0; i < 5; i++) state = go(state, i % 2 === 0 ? int8 : fp32, i * 100, { kind: 'failed' });
    expect([...seen(state, 600).values()].map(({ health }) => health)).toEqual([
      'ejected',
      'ejected',
      'healthy',
    ]);
  });

  it('is ejected only while another target is healthy: its own other variant is none', () => {
    let state = initialState([targetConfig('edge', 'edge')]);
    for (let i = 0; i < 9; i++) state = go(state, int8, i * 100, { kind: 'failed' });
    expect(seen(state, 1_000).get('edge-fp32')!.health).toBe('healthy');
  });
});
