/** Targets and requests for the tests of policies: by hand, and any there may be. */
import * as fc from 'fast-check';
import type { RouteRequest, TargetSnapshot } from '../../../core/routing/policy.ts';
import { targetConfig } from '../../../core/routing/targets.ts';
import { hostOf, variantsOf } from '../../../core/routing/variants.ts';

export const NOW = 1_000_000;

export interface Known extends Partial<Omit<TargetSnapshot, 'parts'>> {
  /** Milliseconds on an idle target; null: nothing is known. */
  readonly latencyMs?: number | null;
}

/** A target that computes for `latencyMs`, its queue as long as `inFlight` says. */
export function target(id: string, { latencyMs = 10, ...known }: Known = {}): TargetSnapshot {
  const { lanes = 1, inFlight = 0 } = known;
  const service = latencyMs ?? 0;
  const queue = (Math.max(0, inFlight + 1 - lanes) / lanes) * service;
  return {
    ...targetConfig(id, id.startsWith('cloud') ? 'cloud' : 'edge', { lanes }),
    variant: undefined,
    health: 'healthy',
    trialUnderWay: false,
    inFlight,
    busy: 0,
    peakMs: latencyMs,
    parts: latencyMs === null ? null : { network: 0, queue, service, cold: 0 },
    spread: 1,
    learnedAt: latencyMs === null ? null : NOW,
    answeredAt: latencyMs === null ? null : NOW,
    askedAt: latencyMs === null ? -Infinity : NOW,
    copiedAt: -Infinity,
    ...known,
  };
}
export const edge = (known: Known = {}) => target('edge', known);
export const cloud = (known: Known = {}) => target('cloud', known);

/** The edge's variants, the usual one first: of what is shared the first one's holds. */
export const variants = (
  usual: 'int8' | 'fp32',
  [first, second]: readonly [Known, Known],
): readonly [TargetSnapshot, TargetSnapshot] => {
  const [one, other] = variantsOf('edge', usual === 'int8' ? ['int8', 'fp32'] : ['fp32', 'int8']);
  const { latencyMs: _own, ...shared } = first;
  return [
    target(one!.id, { ...first, variant: one }),
    target(other!.id, { ...shared, ...second, variant: other }),
  ];
};

export const ask = (request: Partial<RouteRequest> = {}): RouteRequest => ({
  model: 'm',
  bytes: 100,
  pin: undefined,
  deadlineMs: 10_000,
  tried: [],
  ...request,
});

const latency = fc.option(fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e6, noNaN: true })), {
  nil: null,
});
const anyKnown = fc
  .record({
    health: fc.constantFrom('healthy' as const, 'ejected' as const, 'half-open' as const),
    trialUnderWay: fc.boolean(),
    inFlight: fc.nat(1_000),
    lanes: fc.integer({ min: 1, max: 64 }),
    limit: fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max: 1_200 })),
    busy: fc.double({ min: 0, max: 1, noNaN: true }),
    cost: fc.nat(3),
    weight: fc.double({ min: 0.01, max: 100, noNaN: true }),
    spread: fc.double({ min: 1, max: 50, noNaN: true }),
    latencyMs: latency,
    learnedAt: fc.integer({ min: 0, max: NOW }),
    answeredAt: fc.integer({ min: 0, max: NOW }),
    askedAt: fc.oneof(fc.constant(-Infinity), fc.integer({ min: 0, max: NOW })),
    copiedAt: fc.oneof(fc.constant(-Infinity), fc.integer({ min: 0, max: NOW })),
  })
  .map((known): Known => {
    if (known.latencyMs !== null) return known;
    return { ...known, learnedAt: null, answeredAt: null };
  });
const anyOf = (id: string) => anyKnown.map((known) => [target(id, known)] as readonly TargetSnapshot[]);

const IDS = ['edge-2', 'cloud', 'cloud-2', 'cloud-3'];
const anyEdge = fc.oneof(
  anyOf('edge'),
  fc
    .tuple(fc.constantFrom('int8' as const, 'fp32' as const), anyKnown, latency)
    .map(([usual, known, latencyMs]) => variants(usual, [known, { latencyMs }])),
);

/** Up to five hosts; of the first two variants may be there. */
export const several: fc.Arbitrary<readonly TargetSnapshot[]> = fc
  .integer({ min: 0, max: IDS.length })
  .chain((count) => fc.tuple(anyEdge, ...IDS.slice(0, count).map(anyOf)))
  .map((hosts) => hosts.flat());

const NAMES = ['edge', 'cloud', 'edge-int8', 'edge-fp32', ...IDS];
export const requests: fc.Arbitrary<RouteRequest> = fc.record({
  model: fc.constant('m'),
  bytes: fc.nat(),
  pin: fc.option(fc.constantFrom(...NAMES), { nil: undefined }),
  exclude: fc.option(fc.subarray(NAMES, { maxLength: 3 }), { nil: undefined }),
  costCeiling: fc.option(fc.nat(3), { nil: undefined }),
  deadlineMs: fc.double({ min: 0.001, max: 600_000, noNaN: true }),
  tried: fc.subarray(NAMES, { maxLength: 2 }),
});
/** Any target will do. */
export const free = requests.map((request): RouteRequest => ({
  ...request,
  pin: undefined,
  exclude: undefined,
  costCeiling: undefined,
  tried: [],
}));
export const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

/** Each host has another load; the variants of one have the same. */
export const loaded = (targets: readonly TargetSnapshot[], inFlightOf: (host: string) => number) =>
  targets.map(({ id, variant, lanes, limit, cost, busy, spread, parts }) =>
    target(id, {
      variant,
      lanes,
      limit,
      cost,
      busy,
      spread,
      inFlight: inFlightOf(hostOf({ id, variant })),
      latencyMs: parts && parts.service,
    }),
  );
