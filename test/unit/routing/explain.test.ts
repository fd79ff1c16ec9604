import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Explanation } from '../../../core/contracts/explanation.ts';
import { decide } from '../../../core/routing/decide.ts';
import { explainTargets, type Look } from '../../../core/routing/explain.ts';
import { hedgeTarget } from '../../../core/routing/hedging.ts';
import { ALIKE, ALIKE_MS } from '../../../core/routing/policies/predictive.ts';
import { POLICIES, POLICY_NAMES } from '../../../core/routing/policies/table.ts';
import { HEALTH, type RouteRequest, type TargetSnapshot } from '../../../core/routing/policy.ts';
import { PLACES, targetConfig } from '../../../core/routing/targets.ts';
import { variantsOf } from '../../../core/routing/variants.ts';

const NOW = 1_000;
const target = (id: string, known: Partial<TargetSnapshot> = {}): TargetSnapshot => ({
  ...targetConfig(id, id.startsWith('cloud') ? 'cloud' : 'edge'),
  health: 'healthy',
  trialUnderWay: false,
  inFlight: 0,
  busy: 0,
  peakMs: 10,
  parts: { network: 1, queue: 2, service: 10, cold: 0 },
  spread: 2,
  learnedAt: NOW - 5,
  answeredAt: NOW - 5,
  askedAt: NOW - 15,
  copiedAt: -Infinity,
  ...known,
});
const ask = (known: Partial<RouteRequest> = {}): RouteRequest => ({
  model: 'm',
  bytes: 1,
  pin: undefined,
  deadlineMs: 100,
  tried: [],
  ...known,
});
const rows = (look: Partial<Look>, policy: keyof typeof POLICIES = 'predictive') =>
  explainTargets(
    { kind: 'first', request: ask(), targets: [], now: NOW, chosen: undefined, ...look },
    POLICIES[policy],
  );

describe('a target in the table', () => {
  it('has what was seen, the parts of the prediction, their sum, and the policy’s score', () => {
    const parts = { network: 1.00049, queue: 2, service: 10, cold: 3 };
    expect(rows({ targets: [target('cloud-eu', { parts, inFlight: 7, busy: 0.5, cost: 3 })] })).toEqual([
      {
        target: 'cloud-eu',
        place: 'cloud',
        health: 'healthy',
        inFlight: 7,
        lanes: 32,
        busy: 0.5,
        cost: 3,
        parts: { ...parts, network: 1 },
        predictedMs: 16,
        p95Ms: 32.001,
        learnedMsAgo: 5,
        inTime: 'surely',
        // 16 and 0.5 · (2 + 13/32/2) / 0.5.
        score: 18.204,
        excluded: null,
      },
    ]);
    expect(rows({ targets: [target('edge', { inFlight: 3 })] }, 'least-requests')[0]!.score).toBe(3);
    expect(rows({ targets: [target('edge', { inFlight: 3 })] }, 'peak-ewma')[0]!.score).toBe(40);
    expect(rows({ targets: [target('edge')] }, 'random')[0]!.score).toBeNull();
  });

  it.each([
    [26, 'surely'],
    [25, 'usually'],
    [13, 'usually'],
    [12, 'late'],
  ] as const)(
    'that is predicted at 13 ms, 26 on a bad day, is within %d ms in time: %s',
    (deadlineMs, inTime) => {
      expect(rows({ request: ask({ deadlineMs }), targets: [target('edge')] })[0]!.inTime).toBe(inTime);
    },
  );

  it('of which nothing is known is told as that', () => {
    const unknown = target('edge', { parts: null, learnedAt: null });
    expect(rows({ targets: [unknown] })[0]).toMatchObject({
      parts: null,
      predictedMs: null,
      p95Ms: null,
      learnedMsAgo: null,
      inTime: 'unknown',
      score: null,
    });
  });
});

describe('a target is excluded', () => {
  const excluded = (look: Partial<Look>) => rows(look).map((row) => row.excluded);
  const three = [target('edge', { cost: 1 }), target('edge-int8'), target('cloud', { cost: 5 })];

  it.each([
    ['by the pin', { pin: 'cloud' }, ['pinned-elsewhere', 'pinned-elsewhere', null]],
    ['by the cost ceiling', { costCeiling: 1 }, [null, null, 'above-cost-ceiling']],
    ['having been tried', { tried: ['edge-int8'] }, [null, 'tried', null]],
  ] as const)('%s', (_, request, expected) => {
    expect(excluded({ request: ask(request), targets: three })).toEqual(expected);
  });

  it('by its health, while another that may be asked is healthy', () => {
    const ill = [target('edge', { health: 'ejected' }), target('edge-2', { health: 'half-open' })];
    const all = [...ill, target('cloud')];
    expect(excluded({ targets: all, chosen: 'cloud' })).toEqual(['ejected', 'half-open', null]);
    expect(excluded({ targets: all, chosen: 'edge-2' })).toEqual(['ejected', null, null]);
    expect(excluded({ targets: ill, chosen: 'edge' })).toEqual([null, null]);
    expect(excluded({ targets: all, chosen: 'edge', request: ask({ pin: 'edge' }) })).toEqual([
      null,
      null,
      'pinned-elsewhere',
    ]);
  });

  it('by its full queue, while another one has room, and where all are full', () => {
    const full = (id: string) => target(id, { inFlight: 9, limit: 9 });
    const open = [full('edge'), target('cloud')];
    expect(excluded({ targets: open, chosen: 'cloud' })).toEqual(['full', null]);
    const ill = [full('edge'), target('cloud', { health: 'ejected' })];
    expect(excluded({ targets: ill, chosen: 'edge' })).toEqual([null, 'ejected']);
    const closed = [full('edge'), full('cloud')];
    expect(excluded({ targets: closed, chosen: undefined })).toEqual(['full', 'full']);
  });

  it('by its variant, which is for need, while there is an exact one', () => {
    const of = (names: readonly ['fp32', 'int8'] | readonly ['int8', 'fp32']) =>
      variantsOf('edge', names).map((variant) => target(variant.id, { variant }));
    const both = [...of(['fp32', 'int8']), target('cloud')];
    expect(excluded({ targets: both, chosen: 'edge-fp32' })).toEqual([null, 'spare', null]);
    expect(excluded({ targets: both, chosen: 'edge-int8' })).toEqual([null, null, null]);
    expect(excluded({ targets: both, chosen: undefined, request: ask({ pin: 'edge-int8' }) })).toEqual([
      'pinned-elsewhere',
      null,
      'pinned-elsewhere',
    ]);
    expect(excluded({ targets: of(['int8', 'fp32']), chosen: 'edge-int8' })).toEqual([null, null]);
  });

  it('from a hedge: by its health, its queue, the deadline, or for being unknown', () => {
    const targets = [
      target('edge', { health: 'ejected' }),
      target('edge-2', { inFlight: 1 }),
      target('edge-3', { parts: null }),
      target('cloud', { parts: { network: 101, queue: 0, service: 0, cold: 0 } }),
      target('cloud-2'),
    ];
    expect(excluded({ kind: 'hedge', targets, chosen: 'cloud-2' })).toEqual([
      'ejected',
      'no-lane-free',
      'unknown',
      'late',
      null,
    ]);
  });
});

describe('for any snapshot', () => {
  const ms = fc.double({ min: 0, max: 1000, noNaN: true });
  const snapshots = fc.uniqueArray(
    fc
      .record({
        id: fc.constantFrom('edge', 'edge-2', 'cloud', 'cloud-2', 'cloud-3'),
        health: fc.constantFrom(...HEALTH),
        trialUnderWay: fc.boolean(),
        inFlight: fc.nat(40),
        busy: fc.double({ min: 0, max: 1, noNaN: true }),
        cost: fc.nat(3),
        parts: fc.option(fc.record({ network: ms, queue: ms, service: ms, cold: ms })),
        limit: fc.constantFrom(20, Infinity),
        spread: fc.double({ min: 1, max: 5, noNaN: true }),
        learnedAt: fc.option(fc.nat(NOW)),
      })
      .map(({ id, ...known }) => target(id, known)),
    { selector: ({ id }) => id, minLength: 1 },
  );
  const requests = fc
    .record({
      pin: fc.option(fc.constantFrom(...PLACES), { nil: undefined }),
      costCeiling: fc.option(fc.nat(3), { nil: undefined }),
      deadlineMs: fc.double({ min: 1, max: 5000, noNaN: true }),
      tried: fc.subarray(['edge', 'cloud']),
    })
    .map(ask);
  const draws = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const TargetRow = Explanation.shape.decisions.element.shape.targets.element;

  it.each(POLICY_NAMES)('%s chooses what the table does not exclude, and the contract holds', (name) => {
    fc.assert(
      fc.property(snapshots, requests, draws, (targets, request, draw) => {
        const policy = POLICIES[name];
        const view = { request, targets, now: NOW, random: () => draw };
        const chosen = decide(policy, view, policy.initial)?.target;
        const kind = request.tried.length === 0 ? 'first' : 'fallback';
        const table = explainTargets({ kind, request, targets, now: NOW, chosen }, policy);
        for (const row of table) TargetRow.parse(row);
        const open = table.filter(({ excluded }) => excluded === null).map((row) => row.target);
        if (chosen === undefined) expect(open).toEqual([]);
        else expect(open).toContain(chosen);
      }),
    );
  });

  it('the price in the table is what predictive chooses by', () => {
    fc.assert(
      fc.property(snapshots, requests, draws, (targets, request, draw) => {
        const policy = POLICIES.predictive;
        const known = targets.map((each) => ({
          ...each,
          health: 'healthy' as const,
          limit: Infinity,
          parts: each.parts ?? { network: 0, queue: 0, service: 1, cold: 0 },
        }));
        const free = { ...request, pin: undefined, costCeiling: undefined, tried: [] };
        const view = { request: free, targets: known, now: NOW, random: () => draw };
        const chosen = decide(policy, view, policy.initial)!.target;
        const look = { kind: 'first', request: free, targets: known, now: NOW, chosen } as const;
        const table = explainTargets(look, policy);
        const within = (times: readonly string[]) => table.filter(({ inTime }) => times.includes(inTime));
        const best = [['surely'], ['usually'], ['late']].map(within).find(({ length }) => length > 0)!;
        const price = best.find((row) => row.target === chosen)?.score ?? Infinity;
        const least = Math.min(...best.map(({ score }) => score!));
        // The table is to the microsecond.
        expect(price).toBeLessThanOrEqual(least * (1 + ALIKE) + ALIKE_MS + 0.003);
      }),
    );
  });

  it('a hedge goes to a target that the table does not exclude, if there is one', () => {
    fc.assert(
      fc.property(snapshots, requests, (targets, request) => {
        const allowed = targets.filter(
          ({ id, place, cost }) =>
            (request.pin === undefined || place === request.pin) &&
            cost <= (request.costCeiling ?? Infinity) &&
            !request.tried.includes(id),
        );
        const chosen = hedgeTarget(request, allowed)?.id;
        const table = rows({ kind: 'hedge', request, targets, chosen });
        const open = table.filter(({ excluded }) => excluded === null).map((row) => row.target);
        if (chosen === undefined) expect(open).toEqual([]);
        else expect(open).toContain(chosen);
      }),
    );
  });
});
