/**
 * Prequal (Wydrowski, Kleinberg, Rumble, Archer 2024, "Load is not what you should balance: Introducing Prequal", NSDI;
 * arXiv:2312.10172), with the constants of its evaluation (§5). Targets are asked for their requests in flight (RIF)
 * and latency beside the requests; the answers make a pool from which each request chooses by the hot-cold
 * lexicographic rule: a probe is hot where its RIF is above a quantile of those seen; of the cold ones the one with the
 * lowest latency, where all are hot the one with the lowest RIF.
 */
import {
  least,
  type Policy,
  type ProbeResult,
  type Ranked,
  type TargetSnapshot,
  type View,
} from '../policy.ts';

/** Probes sent with each request. */
const PROBES = 3;
/** Of the pool: size, milliseconds until a probe is too old, fewest to choose from. */
const POOL = 16;
const AGE_MS = 1_000;
const FEWEST = 2;
/** Probes removed with each request. */
const REMOVED = 1;
/** By how much probes come in quicker than they go, δ. */
const SURPLUS = 1;
/** RIF quantile above which a probe is hot. */
const HOT_QUANTILE = 2 ** -0.25;
/** RIFs the quantile is taken of. */
const REMEMBERED = 128;

interface Pooled extends ProbeResult {
  readonly at: number;
  /** Requests that may still use it. */
  readonly left: number;
}

export interface PrequalMemory {
  /** Oldest first. */
  readonly pool: readonly Pooled[];
  /** Of recent probes, oldest first. */
  readonly rifs: readonly number[];
  /** The next removal takes the oldest, else the worst. */
  readonly oldest: boolean;
  /** Of the targets in the last view. */
  readonly targets: number;
}

/** b_reuse, eq. 1: how many requests a probe may serve, so that the pool neither starves nor goes stale. */
function reuse(targets: number): number {
  const drawn = (1 - POOL / Math.max(targets, POOL + 1)) * PROBES - REMOVED;
  return Math.max(1, drawn <= 0 ? POOL : (1 + SURPLUS) / drawn);
}

function hotAbove(rifs: readonly number[]): number {
  const sorted = [...rifs].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(HOT_QUANTILE * sorted.length))] ?? 0;
}

/** Cold before hot, then by latency or RIF: less is better. */
const rank =
  (limit: number) =>
  ({ inFlight, latencyMs }: Pooled): readonly [number, number] =>
    inFlight > limit ? [1, inFlight] : [0, latencyMs];

const compare = (a: readonly [number, number], b: readonly [number, number]) => a[0] - b[0] || a[1] - b[1];

function best(pool: readonly Pooled[], limit: number): Pooled {
  const of = rank(limit);
  return pool.reduce((chosen, each) => (compare(of(each), of(chosen)) < 0 ? each : chosen));
}

function worst(pool: readonly Pooled[], limit: number): Pooled {
  const of = rank(limit);
  return pool.reduce((chosen, each) => (compare(of(each), of(chosen)) > 0 ? each : chosen));
}

/** Distinct targets, uniformly. */
function drawn({ targets, random }: View): string[] {
  const left = targets.map(({ id }) => id);
  return Array.from({ length: Math.min(PROBES, left.length) }, () => {
    return left.splice(Math.floor(random() * left.length), 1)[0]!;
  });
}

function choose(view: View, memory: PrequalMemory): Ranked<PrequalMemory> {
  const { targets, now, random } = view;
  const probes = drawn(view);
  const byId = new Map<string, TargetSnapshot>(targets.map((each) => [each.id, each]));
  let pool = memory.pool.filter(({ target, at }) => byId.has(target) && now - at <= AGE_MS);
  const limit = hotAbove(memory.rifs);
  if (pool.length < FEWEST) {
    const target = targets[Math.floor(random() * targets.length)]!;
    return { target, reason: 'random', memory: { ...memory, pool, targets: targets.length }, probes };
  }
  const chosen = best(pool, limit);
  const reason = chosen.inFlight > limit ? 'hot-probe' : 'cold-probe';
  // Its request is one more in flight there, which every probe of that target is told.
  pool = pool
    .map((each) => (each === chosen ? { ...each, left: each.left - 1 } : each))
    .filter(({ left }) => left > 0)
    .map((each) => (each.target === chosen.target ? { ...each, inFlight: each.inFlight + 1 } : each));
  for (let i = 0; i < REMOVED && pool.length > 0; i++) {
    const removed = memory.oldest ? least(pool, ({ at }) => at) : worst(pool, limit);
    pool = pool.filter((each) => each !== removed);
  }
  const next = { ...memory, pool, oldest: !memory.oldest, targets: targets.length };
  return { target: byId.get(chosen.target)!, reason, memory: next, probes };
}

export const prequal: Policy<PrequalMemory> = {
  source: 'Wydrowski et al. 2024, arXiv:2312.10172',
  initial: { pool: [], rifs: [], oldest: true, targets: 0 },
  choose,
  probed(memory, result, now) {
    const entry = { ...result, at: now, left: reuse(memory.targets) };
    return {
      ...memory,
      pool: [...memory.pool, entry].slice(-POOL),
      rifs: [...memory.rifs, result.inFlight].slice(-REMEMBERED),
    };
  },
};
