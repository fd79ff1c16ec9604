/**
 * The default. Of the targets whose answer is predicted in time even on a bad day (the 95th percentile), the one that
 * is predicted to answer first; where none is, of those that are in time on an average day, and then of all. Targets
 * predicted within a tenth of the first count as equal: the cheapest of them is taken, then one of them at random, so
 * that routers that know the same do not all run to the same target.
 *
 * A target that is never chosen is never learned about: an idle one whose estimate is old or missing is sent one in so
 * many requests as well, beside the target that was chosen, so that nobody waits for what is tried. Where a place has
 * several targets, one of which nothing is known is taken to be like the quickest of its place.
 */
import { type Policy, predict, type Ranked, type Reason, type TargetSnapshot, type View } from '../policy.ts';
import { hostOf, isUsual } from '../variants.ts';

/**
 * Milliseconds for each target there is, and at most: an estimate older than this may be wrong, and is looked at anew.
 * One of many may be missed for longer: the others are there.
 */
export const STALE_MS = 1_000;
export const MOST_STALE_MS = 10_000;
/** Requests to a copy of one, at least. Counted, not drawn: what was slow is soon heard of, and there are never more. */
export const COPY_EVERY = 50;
/** Predictions this close to the best, relative and in milliseconds (a Worker's clock tick), are as good. */
export const ALIKE = 0.1;
export const ALIKE_MS = 0.05;

interface Candidate {
  readonly target: TargetSnapshot;
  /** Milliseconds; null: nothing is known, neither of it nor of its like. */
  readonly ms: number | null;
  readonly p95Ms: number | null;
  /** Milliseconds, with those it costs the requests that come after; least is best. */
  readonly price: number;
}

/** Utilisation counts up to this: close to 1 a small error would outweigh all else. Found best in simulation. */
const MOST_BUSY = 0.6;

/**
 * Milliseconds that one more request costs those that come after it: in an M/G/1 queue of utilisation ρ with work U
 * ahead, a job of size s adds ρ·(U + s/2)/(1 − ρ) to their waiting (Hyytiä, Penttinen & Aalto 2012, "Size- and
 * state-aware dispatching problem with queue-specific job sizes", EJOR 217(2)). Without it everybody takes the
 * quickest target until it is as slow as the next one, and all wait: the selfish equilibrium.
 *
 * The mean utilisation knows nothing yet of a burst that has just begun, but its queue tells: in an M/M/1 queue n
 * requests are likeliest seen at a utilisation of n/(n + 1).
 */
function delayOfOthers({ parts, lanes, busy, inFlight }: TargetSnapshot): number {
  if (parts === null) return 0;
  const size = (parts.service + parts.cold) / lanes;
  const waiting = Math.max(0, inFlight - lanes) / lanes;
  const utilisation = Math.min(MOST_BUSY, Math.max(busy, waiting / (waiting + 1)));
  return (utilisation * (parts.queue + size / 2)) / (1 - utilisation);
}

/** Milliseconds: the predicted answer and what it costs the others; null where nothing is predicted. */
function priceOf(target: TargetSnapshot): number | null {
  const { predictedMs } = predict(target);
  return predictedMs === null ? null : predictedMs + delayOfOthers(target);
}

function candidates(targets: readonly TargetSnapshot[]): Candidate[] {
  return targets.map((target) => {
    const { predictedMs, p95Ms } = predict(target);
    if (predictedMs !== null)
      return { target, ms: predictedMs, p95Ms, price: predictedMs + delayOfOthers(target) };
    // A variant is not like the other one of its host: it may have to be loaded, and that is no client's to wait for.
    const like = targets
      .filter(({ place }) => place === target.place && target.variant === undefined)
      .reduce((lowest, each) => Math.min(lowest, predict(each).predictedMs ?? Infinity), Infinity);
    // Its like may be loaded, it is idle: one request at a time finds out.
    const ms = like === Infinity ? null : like * (1 + target.inFlight);
    return { target, ms, p95Ms: null, price: ms ?? Infinity };
  });
}

const inTime = (ms: number | null, deadlineMs: number) => ms !== null && ms <= deadlineMs;

/** All that is known is how long others took to load there, or that it took at least so long: no bad day was seen. */
const isGuess = ({ parts, answeredAt }: TargetSnapshot) => parts !== null && answeredAt === null;

/** Those worth ranking: in time at the 95th percentile, else on average, else all that something is known of. */
function contenders(all: readonly Candidate[], deadlineMs: number): readonly Candidate[] {
  const surely = all.filter(({ target, ms, p95Ms }) => !isGuess(target) && inTime(p95Ms ?? ms, deadlineMs));
  if (surely.length > 0) return surely;
  const usually = all.filter(({ ms }) => inTime(ms, deadlineMs));
  return usually.length > 0 ? usually : all.filter(({ ms }) => ms !== null);
}

/** The lowest price; among those about as low the least cost, and among these one at random. */
function cheapestOfBest(all: readonly Candidate[], random: () => number): Candidate & { cheaper: boolean } {
  const best = Math.min(...all.map(({ price }) => price));
  const alike = all.filter(({ price }) => price <= best * (1 + ALIKE) + ALIKE_MS);
  const cost = Math.min(...alike.map(({ target }) => target.cost));
  const affordable = alike.filter(({ target }) => target.cost === cost);
  // Of two places the nearer one; chance is for the targets of one place, which may be many and alike.
  const cheapest = affordable.filter(({ target }) => target.place === affordable[0]!.target.place);
  const drawn = cheapest[Math.floor(random() * cheapest.length)]!;
  // Variants of one host share its load: nothing is spread by chance, and one of them is loaded for sure.
  const one = cheapest.find(({ target }) => hostOf(target) === hostOf(drawn.target))!;
  return { ...one, cheaper: one.price > best && affordable.length < alike.length };
}

/** @param wait requests until one may be copied; null: at the start, when it is drawn, as not every isolate sees so many */
function choose(view: View, wait: number | null): Ranked<number | null> {
  const { request, targets, now, random } = view;
  const { deadlineMs } = request;
  const [nearest] = targets;
  const all = candidates(targets);
  // Loading a second variant makes those wait that are there: only where there is room.
  const unknown = all.find(
    ({ ms, target }) => ms === null && (isUsual(target) || target.inFlight < target.lanes),
  )?.target;
  const ranked = contenders(all, deadlineMs);
  const memory = wait;
  if (ranked.length === 0) return { target: nearest!, reason: 'no-estimate', memory };
  const best = cheapestOfBest(ranked, random);
  const isLate = !inTime(best.ms, deadlineMs);
  // Nothing is predicted of the unknown: better that than a target that is predicted to be too late.
  const target = unknown !== undefined && isLate ? unknown : best.target;
  const left = (wait ?? 1 + Math.floor(random() * COPY_EVERY)) - 1;
  // Who is late, or has never answered, may stay so: whether another one is in time again is to be known soon.
  const isVain = isLate || target.answeredAt === null;
  const shadow =
    left <= 0
      ? stalest(targets, target, now - Math.min(MOST_STALE_MS, STALE_MS * targets.length))
      : isVain
        ? stalest(targets.filter(hasAnswered), target, now - STALE_MS)
        : undefined;
  const taken = (reason: Reason): Ranked<number> =>
    shadow === undefined
      ? { target, reason, memory: Math.max(0, left) }
      : { target, reason, memory: COPY_EVERY, shadow };
  if (target === unknown) return taken('deadline');
  if (best.cheaper) return taken('cheaper');
  const isQuicker = (one: Candidate) => one.ms !== null && one.ms < best.ms! * (1 - ALIKE);
  if (ranked.some(isQuicker)) return taken('relief');
  // A quicker one is left out, which may be late on a bad day.
  if (all.some(isQuicker)) return taken('deadline');
  return taken(target.place === 'edge' ? 'edge-faster' : 'cloud-faster');
}

const hasAnswered = ({ answeredAt }: TargetSnapshot) => answeredAt !== null;

/** Of those there is something to learn of, the one that was asked the longest ago, before `since`. */
function stalest(
  targets: readonly TargetSnapshot[],
  taken: TargetSnapshot,
  since: number,
): TargetSnapshot | undefined {
  let oldest: TargetSnapshot | undefined;
  for (const each of targets)
    if (each !== taken && isStale(each, since) && (oldest === undefined || each.askedAt < oldest.askedAt))
      oldest = each;
  return oldest;
}

/**
 * Nothing is known of the model there, or it would have to be loaded first, or the target was not asked since; and it
 * has a lane to spare, and got no copy since. What is expected to be cold would otherwise stay so, however much quicker
 * it is when warm. That it was asked is enough: a slow one's answer tells of the time when it was asked.
 */
function isStale({ inFlight, lanes, parts, askedAt, copiedAt }: TargetSnapshot, since: number): boolean {
  if (inFlight >= lanes || copiedAt > since) return false;
  return parts === null || parts.cold > 0 || askedAt <= since;
}

export const predictive: Policy<number | null> = {
  source: 'docs/routing.md',
  initial: null,
  choose,
  score: priceOf,
};
