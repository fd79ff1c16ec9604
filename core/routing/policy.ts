/**
 * What a routing policy is: a pure function from the request and what is known of the targets to a decision with its
 * reason. It runs in the router as it does in the simulator: time and randomness are arguments, and what it must
 * remember from one request to the next (a turn, a pool of probes) is a value that goes in and comes out.
 *
 * A policy only ranks: pins, exclusions, cost ceilings, full queues, degraded variants, ejections, half-open trials and
 * fallbacks are the same for every policy and are applied around it, in decide.ts.
 */
import type { TargetConfig, TargetId } from './targets.ts';
import type { TargetVariant } from './variants.ts';

/** Every reason there is; docs/routing.md says when each is given. */
export const REASONS = [
  'pinned',
  'only-target',
  'edge-faster',
  'cloud-faster',
  'cheaper',
  'relief',
  'edge-first',
  'cloud-first',
  'turn',
  'random',
  'weight',
  'least-requests',
  'least-cost',
  'cold-probe',
  'hot-probe',
  'no-estimate',
  'deadline',
  'probe',
  'trial',
  'edge-ejected',
  'cloud-ejected',
  'ejected',
  'full',
  'fallback',
  'hedge',
  'degraded',
  'hard',
] as const;
export type Reason = (typeof REASONS)[number];

export interface RouteRequest {
  readonly model: string;
  /** Of the payload. */
  readonly bytes: number;
  /** Of the model, where a target is known to serve several. */
  readonly variants?: readonly TargetVariant[] | undefined;
  /** Asked for: only targets of this place, or of this name; undefined: any. */
  readonly pin: TargetId | undefined;
  /** Places and names of targets that must not be asked, whatever else holds. */
  readonly exclude?: readonly TargetId[] | undefined;
  /** Money the client allows for this request, in the unit of {@link TargetConfig.cost}. */
  readonly costCeiling?: number | undefined;
  /** Milliseconds left until the client stops waiting. */
  readonly deadlineMs: number;
  /** Answered by the small model of a cascade first: at the edge, if it can be. */
  readonly isCascade?: boolean;
  /** Failed this very request already, or are at it. */
  readonly tried: readonly TargetId[];
}

/** `half-open`: its ejection has run out, but nobody has seen it answer since. */
export const HEALTH = ['healthy', 'ejected', 'half-open'] as const;
export type TargetHealth = (typeof HEALTH)[number];

/** What the time until an answer is made of, in milliseconds. */
export interface Parts {
  /** There and back, the payload's transfer included. */
  readonly network: number;
  /** Waiting for the requests ahead. */
  readonly queue: number;
  /** Computing. */
  readonly service: number;
  /** Loading the model, where it is not expected to be loaded. */
  readonly cold: number;
}

/** What a router isolate knows of one target, for one request. */
export interface TargetSnapshot extends TargetConfig {
  /** One of several variants that a target serves; undefined: what it serves is the target itself. */
  readonly variant?: TargetVariant | undefined;
  readonly health: TargetHealth;
  /** A half-open target has its one trial request under way. */
  readonly trialUnderWay: boolean;
  /** Requests that are there: sent and not yet answered, and those of others that it reported. */
  readonly inFlight: number;
  /** Share of its lanes that were at work lately, 0 to 1. */
  readonly busy: number;
  /** Milliseconds on an idle target with the model loaded, for Peak EWMA; null: unknown. */
  readonly peakMs: number | null;
  /** null: nothing is known. */
  readonly parts: Parts | null;
  /** The 95th percentile of actual over predicted time, at least 1. */
  readonly spread: number;
  /** When its latency was last learned, milliseconds on the clock of `now`; null: never. */
  readonly learnedAt: number | null;
  /** When the model last answered there; null: never. */
  readonly answeredAt: number | null;
  /** When it was last sent a request that is to be learned from, of any model; -Infinity: never. */
  readonly askedAt: number;
  /** The same of copies, sent only to learn from. */
  readonly copiedAt: number;
}

/** One target and when it is predicted to answer: milliseconds from now, null where nothing is known. */
export interface Prediction {
  readonly target: TargetId;
  readonly variant?: TargetVariant | undefined;
  readonly predictedMs: number | null;
  /** Exceeded by one request in twenty. */
  readonly p95Ms: number | null;
}

export interface Decision extends Prediction {
  readonly reason: Reason;
}

/** What a policy is given. */
export interface View {
  readonly request: RouteRequest;
  /** At least one, all of them to be chosen from, in the order of the configuration: the edge first. */
  readonly targets: readonly TargetSnapshot[];
  /** Milliseconds. */
  readonly now: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** A target's own word about its load, asked for by a policy beside the requests. */
export interface ProbeResult {
  readonly target: TargetId;
  /** Requests in the target. */
  readonly inFlight: number;
  /** Milliseconds that recent requests took at about that load. */
  readonly latencyMs: number;
}

export interface Ranked<Memory> {
  readonly target: TargetSnapshot;
  readonly reason: Reason;
  readonly memory: Memory;
  /** Targets to be asked for their load now, without waiting. */
  readonly probes?: readonly TargetId[];
  /** A target to be sent the same request at the same time, to learn about it; the first answer is the answer. */
  readonly shadow?: TargetSnapshot;
}

export interface Policy<Memory = unknown> {
  /** The paper or program it follows. */
  readonly source: string;
  /** What it remembers at the start. */
  readonly initial: Memory;
  readonly choose: (view: View, memory: Memory) => Ranked<Memory>;
  /** What it ranks targets by, the least first, to explain its choice; null: nothing is known of this one. */
  readonly score?: (target: TargetSnapshot) => number | null;
  /** Takes in the answer to a probe. */
  readonly probed?: (memory: Memory, result: ProbeResult, now: number) => Memory;
}

/** A policy that remembers nothing. */
export function memoryless(
  source: string,
  choose: (view: View) => { readonly target: TargetSnapshot; readonly reason: Reason },
  explained: Pick<Policy, 'score'> = {},
): Policy<null> {
  return { source, initial: null, choose: (view) => ({ ...choose(view), memory: null }), ...explained };
}

/** Milliseconds, all parts together. */
export const totalMs = ({ network, queue, service, cold }: Parts): number => network + queue + service + cold;

export function predict({ id, variant, parts, spread }: TargetSnapshot): Prediction {
  if (parts === null) return { target: id, variant, predictedMs: null, p95Ms: null };
  const predictedMs = totalMs(parts);
  return { target: id, variant, predictedMs, p95Ms: predictedMs * spread };
}

/** Not predicted past the deadline. Of the unknown nothing is predicted. */
export const mayFit = ({ predictedMs }: Prediction, deadlineMs: number): boolean =>
  predictedMs === null || predictedMs <= deadlineMs;

/** The first of the least. @param of Infinity: not to be taken, unless all are */
export function least<T extends object>(items: readonly T[], of: (item: T) => number): T {
  const [first] = items;
  if (first === undefined) throw new RangeError('items: must not be empty');
  let best: T = first;
  let lowest = of(first);
  for (const item of items) {
    const value = of(item);
    if (value < lowest) {
      best = item;
      lowest = value;
    }
  }
  return best;
}

/** Two different ones, uniformly; both the same where there is only one. */
export function sampleTwo<T>(items: readonly T[], random: () => number): readonly [T, T] {
  const first = Math.floor(random() * items.length);
  const step = items.length < 2 ? 0 : 1 + Math.floor(random() * (items.length - 1));
  return [items[first]!, items[(first + step) % items.length]!];
}
