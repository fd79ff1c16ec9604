import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../../../core/routing/decide.ts';
import { PROBE_SHARE, STALE_MS } from '../../../core/routing/policies/predictive.ts';
import { POLICIES, type PolicyName } from '../../../core/routing/policies/table.ts';
import { predict, REASONS, type RouteRequest, type TargetSnapshot } from '../../../core/routing/policy.ts';
import { TARGETS, type TargetName } from '../../../core/routing/targets.ts';

const NOW = 1_000_000;
const NEVER = () => 1 - 2 ** -32;
const ALWAYS = () => 0;

const target = (name: TargetName, known: Partial<TargetSnapshot> = {}): TargetSnapshot => ({
  target: name,
  health: 'healthy',
  trialUnderWay: false,
  inFlight: 0,
  lanes: 1,
  latencyMs: 10,
  learnedAt: NOW,
  ...known,
});
const edge = (known: Partial<TargetSnapshot> = {}) => target('edge', known);
const cloud = (known: Partial<TargetSnapshot> = {}) => target('cloud', known);
const ask = (request: Partial<RouteRequest> = {}): RouteRequest => ({
  model: 'm',
  bytes: 100,
  pin: undefined,
  deadlineMs: 10_000,
  failed: undefined,
  ...request,
});
const choose = (
  targets: readonly TargetSnapshot[],
  request: Partial<RouteRequest> = {},
  random = NEVER,
  policy: PolicyName = 'predictive',
) => {
  const choice = decide(POLICIES[policy], ask(request), targets, NOW, random);
  return choice && `${choice.target} ${choice.reason}`;
};

describe('decide', () => {
  const unknown = { latencyMs: null, learnedAt: null };
  const stale = { learnedAt: NOW - STALE_MS - 1 };

  it.each([
    [
      'pins hold, whatever is known',
      [edge(), cloud({ latencyMs: 9e9, health: 'ejected' })],
      { pin: 'cloud' },
      'cloud pinned',
    ],
    ['a pin that is not there', [edge()], { pin: 'cloud' }, undefined],
    [
      'a pinned target that failed has no other',
      [edge(), cloud()],
      { pin: 'edge', failed: 'edge' },
      undefined,
    ],
    ['one target only', [edge({ latencyMs: 9e9 })], {}, 'edge only-target'],
    ['one target only, ejected', [edge({ health: 'ejected' })], {}, 'edge only-target'],
    ['after its failure there is nothing', [edge()], { failed: 'edge' }, undefined],
    ['the faster one', [edge(), cloud({ latencyMs: 5 })], {}, 'cloud cloud-faster'],
    ['the edge of equals', [edge(), cloud()], {}, 'edge edge-faster'],
    ['load counts', [edge({ inFlight: 3 }), cloud({ latencyMs: 35 })], {}, 'cloud cloud-faster'],
    [
      'load counts by lanes',
      [edge(), cloud({ latencyMs: 5, inFlight: 30, lanes: 32 })],
      {},
      'cloud cloud-faster',
    ],
    ['nothing known: the edge', [edge(unknown), cloud(unknown)], {}, 'edge no-estimate'],
    ['edge unknown: the edge', [edge(unknown), cloud({ latencyMs: 1 })], {}, 'edge no-estimate'],
    ['cloud unknown: the edge', [edge(), cloud(unknown)], {}, 'edge no-estimate'],
    [
      'unknown is better than too late',
      [edge({ latencyMs: 300 }), cloud(unknown)],
      { deadlineMs: 200 },
      'cloud deadline',
    ],
    ['edge ejected', [edge({ health: 'ejected' }), cloud({ latencyMs: 900 })], {}, 'cloud edge-ejected'],
    ['cloud ejected', [edge({ latencyMs: 900 }), cloud({ health: 'ejected' })], {}, 'edge cloud-ejected'],
    ['half-open: a trial', [edge({ health: 'half-open' }), cloud()], {}, 'edge trial'],
    [
      'one trial at a time',
      [edge({ health: 'half-open', trialUnderWay: true }), cloud()],
      {},
      'cloud edge-ejected',
    ],
    [
      'no trial the deadline cannot bear',
      [edge({ health: 'half-open' }), cloud({ latencyMs: 90 })],
      { deadlineMs: 100 },
      'cloud edge-ejected',
    ],
    [
      'all ejected: as if none were',
      [edge({ health: 'ejected' }), cloud({ health: 'ejected', latencyMs: 1 })],
      {},
      'cloud cloud-faster',
    ],
    ['fallback', [edge(), cloud({ latencyMs: 900 })], { failed: 'edge' }, 'cloud fallback'],
    [
      'fallback even to an ejected one',
      [edge({ health: 'ejected' }), cloud()],
      { failed: 'cloud' },
      'edge fallback',
    ],
  ] as const)('%s', (_, targets, request, expected) => {
    expect(choose(targets, request)).toBe(expected);
  });

  it.each([
    ['stale and idle', [edge(), cloud({ ...stale, latencyMs: 50 })], 10_000, 'cloud probe'],
    ['never seen', [edge(), cloud(unknown)], 10_000, 'cloud probe'],
    ['a stale edge', [edge({ ...stale, latencyMs: 50 }), cloud()], 10_000, 'edge probe'],
    ['fresh', [edge(), cloud({ latencyMs: 50 })], 10_000, 'edge edge-faster'],
    ['not idle', [edge(), cloud({ ...stale, latencyMs: 50, inFlight: 1 })], 10_000, 'edge edge-faster'],
    [
      'the deadline leaves nothing for the other',
      [edge(), cloud({ ...stale, latencyMs: 50 })],
      15,
      'edge edge-faster',
    ],
    [
      'the deadline does not leave it half',
      [edge(), cloud({ ...stale, latencyMs: 50 })],
      90,
      'edge edge-faster',
    ],
    ['never seen, and little time', [edge(), cloud(unknown)], 5_000, 'edge no-estimate'],
  ] as const)('probes: %s', (_, targets, deadlineMs, expected) => {
    expect(choose(targets, { deadlineMs }, ALWAYS)).toBe(expected);
  });

  it('probes with a small share of the requests', () => {
    const targets = [edge(), cloud({ ...stale, latencyMs: 50 })];
    expect(choose(targets, {}, () => PROBE_SHARE)).toBe('edge edge-faster');
    expect(choose(targets, {}, () => PROBE_SHARE / 1.01)).toBe('cloud probe');
    expect(PROBE_SHARE).toBeLessThanOrEqual(0.05);
  });

  it('edge-first looks at the deadline only', () => {
    const slowEdge = [edge({ latencyMs: 300 }), cloud()];
    expect(choose(slowEdge, {}, NEVER, 'edge-first')).toBe('edge edge-first');
    expect(choose(slowEdge, { deadlineMs: 200 }, NEVER, 'edge-first')).toBe('cloud deadline');
    expect(choose(slowEdge, { deadlineMs: 5 }, NEVER, 'edge-first')).toBe('edge edge-first');
  });

  it('leaves time for the fallback: known, unknown, none', () => {
    const limit = (targets: readonly TargetSnapshot[], random = NEVER) =>
      decide(POLICIES.predictive, ask(), targets, NOW, random)?.limitMs;
    expect(limit([edge({ latencyMs: 1 }), cloud({ latencyMs: 500 })])).toBe(8_000);
    expect(limit([edge({ latencyMs: 1 }), cloud({ latencyMs: 2 })])).toBe(9_750);
    expect(limit([edge(), cloud(unknown)])).toBe(5_000);
    expect(limit([edge(), cloud({ health: 'ejected' })])).toBe(10_000);
    expect(limit([edge()])).toBe(10_000);
    // Not less than what the chosen one is known to need.
    expect(limit([edge({ latencyMs: 4_000 }), cloud({ latencyMs: 5_000 })])).toBe(8_000);
    // A probe is given up early.
    expect(limit([edge(), cloud({ ...stale, latencyMs: 50 })], ALWAYS)).toBe(1_000);
  });
});

describe('properties, of every policy', () => {
  const latency = fc.option(fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e6, noNaN: true })), {
    nil: null,
  });
  const snapshotOf = (name: TargetName) =>
    fc
      .record({
        health: fc.constantFrom('healthy' as const, 'ejected' as const, 'half-open' as const),
        trialUnderWay: fc.boolean(),
        inFlight: fc.nat(1_000),
        lanes: fc.integer({ min: 1, max: 64 }),
        latencyMs: latency,
        learnedAt: fc.integer({ min: 0, max: NOW }),
      })
      .map((known) =>
        target(name, { ...known, learnedAt: known.latencyMs === null ? null : known.learnedAt }),
      );
  const both = fc.tuple(snapshotOf('edge'), snapshotOf('cloud'));
  const requests = fc.record({
    model: fc.constant('m'),
    bytes: fc.nat(),
    pin: fc.option(fc.constantFrom(...TARGETS), { nil: undefined }),
    deadlineMs: fc.double({ min: 0.001, max: 600_000, noNaN: true }),
    failed: fc.option(fc.constantFrom(...TARGETS), { nil: undefined }),
  });
  const free = requests.map((request) => ({ ...request, pin: undefined, failed: undefined }));
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

  describe.each(Object.keys(POLICIES) as PolicyName[])('%s', (name) => {
    const run = (request: RouteRequest, targets: readonly TargetSnapshot[], draw: number) =>
      decide(POLICIES[name], request, targets, NOW, () => draw);
    const among = (targets: readonly TargetSnapshot[], wanted: TargetName) =>
      targets.find((each) => each.target === wanted)!;

    it('never says NaN, and always gives a reason and a time of more than nothing within the deadline', () => {
      fc.assert(
        fc.property(requests, both, random, (request, targets, draw) => {
          const choice = run(request, targets, draw);
          if (choice === undefined) return;
          expect(REASONS).toContain(choice.reason);
          expect(choice.predictedMs === null || choice.predictedMs >= 0).toBe(true);
          expect(choice.limitMs).toBeGreaterThan(0);
          expect(choice.limitMs).toBeLessThanOrEqual(request.deadlineMs);
        }),
      );
    });

    it('holds pins, and never asks again what failed', () => {
      fc.assert(
        fc.property(requests, both, random, (request, targets, draw) => {
          const choice = run(request, targets, draw);
          if (request.pin !== undefined && request.pin !== request.failed)
            expect(choice?.target).toBe(request.pin);
          if (request.failed !== undefined) expect(choice?.target).not.toBe(request.failed);
        }),
      );
    });

    it('never takes an ejected target while one is healthy', () => {
      fc.assert(
        fc.property(free, both, random, (request, targets, draw) => {
          const choice = run(request, targets, draw)!;
          const { health } = among(targets, choice.target);
          if (health === 'ejected') expect(targets.some((each) => each.health === 'healthy')).toBe(false);
          if (health === 'half-open' && targets.some((each) => each.health === 'healthy'))
            expect(choice.reason).toBe('trial');
        }),
      );
    });

    it('never takes a target that is predicted too late while a healthy one is predicted in time', () => {
      fc.assert(
        fc.property(free, both, random, (request, targets, draw) => {
          const healthy = targets.map((each) => ({ ...each, health: 'healthy' as const }));
          const choice = run(request, healthy, draw)!;
          const fits = (each: TargetSnapshot) =>
            (predict(each).predictedMs ?? Infinity) <= request.deadlineMs;
          const known = among(healthy, choice.target).latencyMs !== null;
          if (known && healthy.some(fits)) expect(fits(among(healthy, choice.target))).toBe(true);
        }),
      );
    });

    it('is monotone in load: more load on a target never brings requests to it', () => {
      fc.assert(
        fc.property(
          free,
          both,
          fc.constantFrom(...TARGETS),
          fc.nat(1_000),
          (request, targets, loaded, more) => {
            const before = run(request, targets, NEVER())!;
            const heavier = targets.map((each) =>
              each.target === loaded ? { ...each, inFlight: each.inFlight + more } : each,
            );
            // A trial is given by health, not by load.
            if (before.reason === 'trial' || before.target === loaded) return;
            const after = run(request, heavier, NEVER())!;
            if (after.reason !== 'trial') expect(after.target).toBe(before.target);
          },
        ),
      );
    });
  });
});
