/**
 * The default. Of the targets whose answer is predicted in time even on a bad day (the 95th percentile), the one that
 * is predicted to answer first; where none is, of those that are in time on an average day, and then of all. Targets
 * predicted within a tenth of the first count as equal: the cheapest of them is taken, then one of them at random, so
 * that routers that know the same do not all run to the same target.
 *
 * A target that is never chosen is never learned about: one whose estimate is old or missing, that is idle, is probed
 * by a small share of the requests, where the deadline bears the loss. Where a place has several targets, one of which
 * nothing is known is taken to be like the quickest of its place.
 */
import { affordable, probeFits } from '../limits.ts';
import { type Policy, predict, type Reason, type TargetSnapshot, type View } from '../policy.ts';

/** Milliseconds: an estimate older than this may be wrong. */
export const STALE_MS = 10_000;
/** Share of the requests that probe while there is something to probe. */
export const PROBE_SHARE = 0.02;
/** Predictions this close to the best, relative and in milliseconds (a Worker's clock tick), are as good. */
export const ALIKE = 0.1;
export const ALIKE_MS = 0.05;

interface Candidate {
  readonly target: TargetSnapshot;
  /** Milliseconds; null: nothing is known, neither of it nor of its like. */
  readonly ms: number | null;
  readonly p95Ms: number | null;
}

function candidates(targets: readonly TargetSnapshot[]): Candidate[] {
  return targets.map((target) => {
    const { predictedMs, p95Ms } = predict(target);
    if (predictedMs !== null) return { target, ms: predictedMs, p95Ms };
    const like = targets
      .filter(({ place }) => place === target.place)
      .reduce((lowest, each) => Math.min(lowest, predict(each).predictedMs ?? Infinity), Infinity);
    // Its like may be loaded, it is idle: one request at a time finds out.
    return { target, ms: like === Infinity ? null : like * (1 + target.inFlight), p95Ms: null };
  });
}

const inTime = (ms: number | null, deadlineMs: number) => ms !== null && ms <= deadlineMs;

/** Those worth ranking: in time at the 95th percentile, else on average, else all that something is known of. */
function contenders(all: readonly Candidate[], deadlineMs: number): readonly Candidate[] {
  const surely = all.filter(({ ms, p95Ms }) => inTime(p95Ms ?? ms, deadlineMs));
  if (surely.length > 0) return surely;
  const usually = all.filter(({ ms }) => inTime(ms, deadlineMs));
  return usually.length > 0 ? usually : all.filter(({ ms }) => ms !== null);
}

function cheapestOfBest(all: readonly Candidate[], random: () => number): Candidate & { cheaper: boolean } {
  const best = Math.min(...all.map(({ ms }) => ms!));
  const alike = all.filter(({ ms }) => ms! <= best * (1 + ALIKE) + ALIKE_MS);
  const cost = Math.min(...alike.map(({ target }) => target.cost));
  const cheapest = alike.filter(({ target }) => target.cost === cost);
  const one = cheapest[Math.floor(random() * cheapest.length)]!;
  const isFirst = one.ms === best || cheapest.length === alike.length;
  return { ...one, cheaper: !isFirst };
}

function choose(view: View): { readonly target: TargetSnapshot; readonly reason: Reason } {
  const { request, targets, now, random } = view;
  const { deadlineMs } = request;
  const [nearest] = targets;
  const all = candidates(targets);
  const unknown = all.find(({ ms }) => ms === null)?.target;
  const ranked = contenders(all, deadlineMs);
  if (ranked.length === 0) return { target: nearest!, reason: 'no-estimate' };
  const best = cheapestOfBest(ranked, random);
  // The edge is near, and asking it costs nothing more: it is found out first, where the deadline bears that.
  const bears = unknown !== undefined && (probeFits(unknown, deadlineMs) || !inTime(best.ms, deadlineMs));
  if (bears && unknown === nearest) return { target: unknown, reason: 'no-estimate' };
  const probe = targets.find(
    (each) =>
      each !== best.target &&
      isStale(each, now) &&
      probeFits(each, deadlineMs) &&
      affordable(each, targets, deadlineMs),
  );
  if (probe !== undefined && random() < PROBE_SHARE) return { target: probe, reason: 'probe' };

  // Nothing is predicted of the unknown: better that than a target that is predicted to be too late.
  if (unknown !== undefined && !inTime(best.ms, deadlineMs)) return { target: unknown, reason: 'deadline' };
  if (unknown !== undefined) return { target: best.target, reason: 'no-estimate' };
  if (best.cheaper) return { target: best.target, reason: 'cheaper' };
  return { target: best.target, reason: best.target.place === 'edge' ? 'edge-faster' : 'cloud-faster' };
}

const isStale = ({ inFlight, learnedAt }: TargetSnapshot, now: number): boolean =>
  inFlight === 0 && (learnedAt === null || now - learnedAt > STALE_MS);

export const predictive: Policy<null> = {
  source: 'docs/routing.md',
  initial: null,
  choose: (view) => ({ ...choose(view), memory: null }),
};
