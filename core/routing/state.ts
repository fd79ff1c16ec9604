/**
 * All that one router isolate has learned, as a value: each transition returns the next one. Isolates share no
 * memory, so each learns from its own requests and from what the targets report of everybody's.
 */
import {
  failed as failedHealth,
  HEALTHY,
  type Health,
  healthAt,
  succeeded,
  trialAbandoned,
  trialStarted,
  trialUnderWay,
} from './ejection.ts';
import { emptyWindow, remember, type Window } from './estimate.ts';
import {
  answeredAt,
  learn,
  learnAtLeast,
  type Learned,
  nothingLearned,
  partsOf,
  peakMs,
  queueFactor,
  type Reading,
} from './learning.ts';
import { type Mean, observeMean } from './mean.ts';
import { NEWS_MS } from './merging.ts';
import type { Reason, RouteRequest, TargetSnapshot } from './policy.ts';
import type { TargetConfig, TargetId } from './targets.ts';
import { hostOf, learningKey, type TargetVariant } from './variants.ts';

/** Milliseconds that a target's report of other routers' requests is believed. */
export const REPORT_MS = 1_000;
/**
 * A timeout is the target's failure only if it was given so long: otherwise a client with tiny deadlines could
 * have it ejected. Longer than a cold start at the edge.
 */
export const FAIR_TIMEOUT_MS = 1_000;

/** Milliseconds without a request after which a target has been left alone. */
const RESTED_MS = 1_000;

/** Time constant of the utilisation, milliseconds. */
const BUSY_MS = 5_000;

export interface TargetState {
  readonly config: TargetConfig;
  readonly inFlight: number;
  /** Service time of these, as far as it is known, and of how many it is. */
  readonly workMs: number;
  readonly worked: number;
  /** Since when the requests in flight are worked on: the last answer, or the first request to an idle target. */
  readonly busySince: number;
  /** Share of the time, and of the lanes, that it was at work, fading with {@link BUSY_MS}, as of `busyAt`. */
  readonly busy: number;
  readonly busyAt: number;
  /** Requests beyond our own that the target last reported, and when. */
  readonly others: number;
  readonly reportedAt: number;
  /** Those that other isolates said they had sent, and when: see sharing.ts. */
  readonly elsewhere: number;
  readonly elsewhereAt: number;
  /** When it was last sent a request to learn from, and a copy: see policy.ts. A hedge is mostly cancelled. */
  readonly askedAt: number;
  readonly copiedAt: number;
  /** Attempts and failures since the isolate started, ejections too. */
  readonly requests: number;
  readonly errors: number;
  readonly ejections: number;
  readonly learned: Learned;
  /** Milliseconds that answers took lately, of loaded models; null: none came. */
  readonly latency: Mean | null;
  /** Milliseconds as clients saw them. */
  readonly window: Window;
  readonly health: Health;
}

/** In the order of the configuration. */
export type RoutingState = ReadonlyMap<TargetId, TargetState>;

/** One request to one target. */
export interface Attempt extends Pick<RouteRequest, 'model' | 'bytes'> {
  readonly target: TargetId;
  /** Of which target it is one; undefined: none, the target is itself. */
  readonly variant?: TargetVariant | undefined;
  readonly reason: Reason;
  readonly startedAt: number;
  /** What it waits for, in service times of the requests that were there before it. */
  readonly queue: number;
  /** Of its time in the target, what is expected to be its own and not that of those ahead. */
  readonly share: number;
  /** What it takes itself; null: unknown. */
  readonly serviceMs: number | null;
  readonly predictedMs: number | null;
  /** It is sent beside a request, to learn from or as a second attempt, and the target was left alone before. */
  readonly isTry: boolean;
  /** Whether its latency is that of an inference: metadata and refusals are quick and tell nothing. */
  readonly infers: boolean;
}

export type AttemptResult =
  /** The target did its work; `refused`: a 4xx, which is an answer but no inference. */
  | {
      readonly kind: 'answered';
      readonly refused: boolean;
      readonly cold: boolean;
      /** Requests in the target, this one included; null: not reported. */
      readonly reported: number | null;
      /** Milliseconds in the target; null: not reported, or by a clock that stands still. */
      readonly serviceMs: number | null;
    }
  /** No room: another target may have some. It says nothing of its health, and its load is known. */
  | { readonly kind: 'overloaded' }
  /** 5xx or no connection. How quickly it failed is not learned: a target must not win by failing fast. */
  | { readonly kind: 'failed' }
  | { readonly kind: 'timeout' }
  /** The client went away, or another attempt won: it tells nothing. */
  | { readonly kind: 'cancelled' };

/** @param configs the edge first: of equals the first is taken */
export function initialState(configs: readonly TargetConfig[]): RoutingState {
  return new Map(
    configs.map((config) => [
      config.id,
      {
        config,
        inFlight: 0,
        workMs: 0,
        worked: 0,
        busySince: 0,
        busy: 0,
        busyAt: 0,
        others: 0,
        reportedAt: -Infinity,
        elsewhere: 0,
        elsewhereAt: -Infinity,
        askedAt: -Infinity,
        copiedAt: -Infinity,
        requests: 0,
        errors: 0,
        ejections: 0,
        learned: nothingLearned(),
        latency: null,
        window: emptyWindow(),
        health: HEALTHY,
      },
    ]),
  );
}

function known(state: RoutingState, target: TargetId): TargetState {
  const found = state.get(target);
  if (found === undefined) throw new RangeError(`there is no target ${target}`);
  return found;
}

/** Requests of another model may take ten times as long: what is waited for is theirs, not ours. */
const ahead = ({ workMs, worked }: TargetState): number | undefined =>
  worked === 0 ? undefined : Math.max(0, workMs) / worked;

/** A target counts what reaches it, but a function of many environments in one of them only: the larger count holds. */
function load({ inFlight, others, reportedAt, elsewhere, elsewhereAt }: TargetState, now: number): number {
  const reported = now - reportedAt < REPORT_MS ? others : 0;
  const told = now - elsewhereAt < NEWS_MS ? elsewhere : 0;
  return inFlight + Math.max(reported, told);
}

/** Requests that are there, as far as it is known: our own, and those of others. */
export const loadOf = (state: RoutingState, target: TargetId, now: number): number =>
  load(known(state, target), now);

/** What is known of the targets for a request, in their order. */
export function snapshot(
  state: RoutingState,
  { model, bytes, variants = [] }: Pick<RouteRequest, 'model' | 'bytes' | 'variants'>,
  now: number,
): TargetSnapshot[] {
  const targets: TargetSnapshot[] = [];
  for (const target of state.values()) {
    const before = targets.length;
    for (const variant of variants)
      if (variant.host === target.config.id) targets.push(seen(target, { model, bytes, variant }, now));
    if (targets.length === before) targets.push(seen(target, { model, bytes }, now));
  }
  return targets;
}

type Seen = Pick<Attempt, 'model' | 'bytes' | 'variant'>;

function seen(target: TargetState, asked: Seen, now: number): TargetSnapshot {
  const { variant } = asked;
  const key = learningKey(asked.model, variant);
  const { learned, config, health } = target;
  // Spelled out: a spread makes every object of a kind of its own, and with many targets most of a decision's time.
  return {
    id: variant === undefined ? config.id : variant.id,
    variant,
    place: config.place,
    lanes: config.lanes,
    cost: config.cost,
    weight: config.weight,
    limit: config.limit,
    health: healthAt(health, now),
    trialUnderWay: trialUnderWay(health, now),
    inFlight: load(target, now),
    busy: busyAt(target, now),
    peakMs: peakMs(learned, key, now),
    parts: expected(target, asked, now).parts,
    spread: learned.spread,
    learnedAt: learned.learnedAt,
    answeredAt: answeredAt(learned, key),
    askedAt: target.askedAt,
    copiedAt: target.copiedAt,
  };
}

/** What one more request would wait for, in service times of those ahead, and what it would take. */
function expected(target: TargetState, { model: name, bytes, variant }: Seen, now: number) {
  const model = learningKey(name, variant);
  const queue = queueFactor(load(target, now), target.config.lanes);
  const parts = partsOf(target.learned, { model, bytes, queue, aheadMs: ahead(target) }, now);
  return { queue, parts: underWay(target, parts, now) };
}

function busyAt(target: TargetState, now: number): number {
  const fade = Math.exp(-Math.max(0, now - target.busyAt) / BUSY_MS);
  const share = Math.min(1, load(target, now) / target.config.lanes);
  return share + (target.busy - share) * fade;
}

/** The requests ahead have been worked on for a while: one service time at most of the wait is over already. */
function underWay(target: TargetState, parts: TargetSnapshot['parts'], now: number) {
  const { inFlight, busySince, config } = target;
  if (parts === null || inFlight === 0) return parts;
  const elapsed = Math.max(0, now - busySince);
  const first = ahead(target) ?? parts.service;
  // Twice as long is more than jitter: it is slower than thought, or hangs, and what it is late it may be late again.
  const overdue = (elapsed - 2 * first - parts.network - parts.cold) / config.lanes;
  if (overdue > 0) return { ...parts, queue: parts.queue + overdue };
  const done = Math.min(elapsed, first) / config.lanes;
  return { ...parts, queue: Math.max(0, parts.queue - done) };
}

export function attemptOf(
  state: RoutingState,
  choice: Omit<Attempt, 'startedAt' | 'queue' | 'share' | 'serviceMs' | 'isTry'>,
  now: number,
): Attempt {
  const target = known(state, hostId(choice));
  const { queue, parts } = expected(target, choice, now);
  const share =
    parts === null || parts.service === 0 ? 1 / (1 + queue) : parts.service / (parts.service + parts.queue);
  const isTry = (choice.reason === 'probe' || choice.reason === 'hedge') && now - target.askedAt >= RESTED_MS;
  return { ...choice, startedAt: now, queue, share, serviceMs: parts?.service ?? null, isTry };
}

const withTarget = (state: RoutingState, target: TargetState): RoutingState =>
  new Map(state).set(target.config.id, target);

const hostId = ({ target, variant }: Pick<Attempt, 'target' | 'variant'>): TargetId =>
  hostOf({ id: target, variant });

export function started(state: RoutingState, attempt: Attempt): RoutingState {
  const { reason, startedAt, serviceMs, infers } = attempt;
  const before = known(state, hostId(attempt));
  return withTarget(state, {
    ...before,
    inFlight: before.inFlight + 1,
    workMs: before.workMs + (serviceMs ?? 0),
    worked: before.worked + (serviceMs === null ? 0 : 1),
    busySince: before.inFlight === 0 ? startedAt : before.busySince,
    busy: busyAt(before, startedAt),
    busyAt: Math.max(startedAt, before.busyAt),
    askedAt: infers && reason !== 'hedge' ? Math.max(startedAt, before.askedAt) : before.askedAt,
    copiedAt: reason === 'probe' ? Math.max(startedAt, before.copiedAt) : before.copiedAt,
    requests: before.requests + 1,
    health: reason === 'trial' ? trialStarted(before.health, startedAt) : before.health,
  });
}

export function ended(
  state: RoutingState,
  attempt: Attempt,
  result: AttemptResult,
  now: number,
): RoutingState {
  const before = known(state, hostId(attempt));
  const next = {
    ...before,
    inFlight: Math.max(0, before.inFlight - 1),
    workMs: before.inFlight <= 1 ? 0 : before.workMs - (attempt.serviceMs ?? 0),
    worked: before.inFlight <= 1 ? 0 : before.worked - (attempt.serviceMs === null ? 0 : 1),
    busySince: now,
    busy: busyAt(before, now),
    busyAt: Math.max(now, before.busyAt),
  };
  return withTarget(state, settle(state, next, attempt, result, now));
}

const readingOf = (attempt: Attempt, now: number): Omit<Reading, 'serviceMs' | 'isCold'> => ({
  model: learningKey(attempt.model, attempt.variant),
  bytes: attempt.bytes,
  queue: attempt.queue,
  share: attempt.share,
  predictedMs: attempt.predictedMs,
  isTry: attempt.isTry,
  elapsedMs: Math.max(0, now - attempt.startedAt),
});

function settle(
  state: RoutingState,
  target: TargetState,
  attempt: Attempt,
  result: AttemptResult,
  now: number,
): TargetState {
  const reading = readingOf(attempt, now);
  switch (result.kind) {
    case 'answered': {
      const health = succeeded(target.health, attempt.startedAt, now);
      if (!attempt.infers || result.refused) return { ...target, health };
      const { cold: isCold, serviceMs, reported } = result;
      return {
        ...target,
        health,
        learned: learn(target.learned, { ...reading, isCold, serviceMs }, now),
        latency: isCold ? target.latency : observeMean(target.latency, reading.elapsedMs, now),
        window: remember(target.window, reading.elapsedMs),
        // The target counts this request, which is ours and was taken out of our count just now.
        others: reported === null ? 0 : Math.max(0, reported - 1 - target.inFlight),
        reportedAt: now,
      };
    }
    case 'overloaded':
    case 'cancelled':
      return attempt.reason === 'trial' ? { ...target, health: trialAbandoned(target.health) } : target;
    case 'timeout': {
      // It takes at least so long: otherwise a target that never answers in time would never be learned about.
      const learned = attempt.infers ? learnAtLeast(target.learned, reading, now) : target.learned;
      const isFair = reading.elapsedMs >= FAIR_TIMEOUT_MS || attempt.reason === 'trial';
      return isFair ? fail(state, { ...target, learned }, attempt, now) : { ...target, learned };
    }
    case 'failed':
      return fail(state, target, attempt, now);
  }
}

function fail(state: RoutingState, target: TargetState, attempt: Attempt, now: number): TargetState {
  const mayEject = Array.from(state.values()).some(
    ({ config, health }) => config.id !== target.config.id && healthAt(health, now) === 'healthy',
  );
  const health = failedHealth(target.health, attempt.startedAt, now, mayEject);
  const isNew = health.kind === 'ejected' && health.since === now && health !== target.health;
  return { ...target, errors: target.errors + 1, ejections: target.ejections + (isNew ? 1 : 0), health };
}
