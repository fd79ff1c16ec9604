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
import { emptyWindow, type Ewma, ewmaValue, observe, remember, type Window } from './estimate.ts';
import { loadFactor, type Reason, type TargetSnapshot } from './policy.ts';
import { TARGETS, type TargetName } from './targets.ts';

/**
 * Requests a target works on at once. The edge runs one model at a time in an isolate (create and run are
 * serialised); Lambda gives each request an environment of its own, and this many is where starting them shows.
 */
export const LANES: Readonly<Record<TargetName, number>> = { edge: 1, cloud: 32 };
/** Milliseconds after its last answer that a model is taken to be still loaded: idle isolates and functions go. */
export const WARM_MS = 5 * 60_000;
/** Models remembered per target as loaded; the least recently answered goes first. */
export const MODELS = 64;
/** Milliseconds that a target's report of other routers' requests is believed. */
export const REPORT_MS = 1_000;
/**
 * A timeout is the target's failure only if it was given so long: otherwise a client with tiny deadlines could
 * have it ejected. Longer than a cold start at the edge.
 */
export const FAIR_TIMEOUT_MS = 1_000;

export interface TargetState {
  readonly configured: boolean;
  readonly inFlight: number;
  /** Requests beyond our own that the target last reported, and when. */
  readonly others: number;
  readonly reportedAt: number;
  /** Attempts and failures since the isolate started, ejections too. */
  readonly requests: number;
  readonly errors: number;
  readonly ejections: number;
  /** Milliseconds on an idle target. */
  readonly warm: Ewma | null;
  readonly cold: Ewma | null;
  /** Milliseconds as clients saw them. */
  readonly window: Window;
  readonly health: Health;
  /** When each model last answered, oldest first. */
  readonly models: ReadonlyMap<string, number>;
}

export type RoutingState = Readonly<Record<TargetName, TargetState>>;

/** One request to one target. */
export interface Attempt {
  readonly target: TargetName;
  readonly model: string;
  readonly reason: Reason;
  readonly startedAt: number;
  /** Requests that were there before it. */
  readonly ahead: number;
  /** Whether its latency is that of an inference: metadata and refusals are quick and tell nothing. */
  readonly infers: boolean;
}

export type AttemptResult =
  /** The target did its work; `refused`: a 4xx, which is an answer but no inference. */
  | {
      readonly kind: 'answered';
      readonly refused: boolean;
      readonly cold: boolean;
      readonly reported: number | null;
    }
  /** 5xx or no connection. How quickly it failed is not learned: a target must not win by failing fast. */
  | { readonly kind: 'failed' }
  | { readonly kind: 'timeout' }
  /** The client went away: it tells nothing. */
  | { readonly kind: 'cancelled' };

export function initialState(configured: Readonly<Record<TargetName, boolean>>): RoutingState {
  const target = (name: TargetName): TargetState => ({
    configured: configured[name],
    inFlight: 0,
    others: 0,
    reportedAt: 0,
    requests: 0,
    errors: 0,
    ejections: 0,
    warm: null,
    cold: null,
    window: emptyWindow(),
    health: HEALTHY,
    models: new Map(),
  });
  return { edge: target('edge'), cloud: target('cloud') };
}

const load = (state: TargetState, now: number): number =>
  state.inFlight + (now - state.reportedAt < REPORT_MS ? state.others : 0);

/** What is known of the configured targets for a request to `model`, the edge first. */
export function snapshot(state: RoutingState, model: string, now: number): TargetSnapshot[] {
  const snapshots: TargetSnapshot[] = [];
  for (const target of TARGETS) {
    const known = state[target];
    if (!known.configured) continue;
    const answeredAt = known.models.get(model);
    const isWarm = answeredAt !== undefined && now - answeredAt < WARM_MS;
    const ewma = isWarm ? known.warm : known.cold;
    snapshots.push({
      target,
      health: healthAt(known.health, now),
      trialUnderWay: trialUnderWay(known.health, now),
      inFlight: load(known, now),
      lanes: LANES[target],
      latencyMs: ewma === null ? null : ewmaValue(ewma, now),
      learnedAt: ewma === null ? null : ewma.at,
    });
  }
  return snapshots;
}

export function attemptOf(
  state: RoutingState,
  choice: Pick<Attempt, 'target' | 'model' | 'reason' | 'infers'>,
  now: number,
): Attempt {
  return { ...choice, startedAt: now, ahead: load(state[choice.target], now) };
}

export function started(state: RoutingState, { target, reason, startedAt }: Attempt): RoutingState {
  const known = state[target];
  return {
    ...state,
    [target]: {
      ...known,
      inFlight: known.inFlight + 1,
      requests: known.requests + 1,
      health: reason === 'trial' ? trialStarted(known.health, startedAt) : known.health,
    },
  };
}

export function ended(
  state: RoutingState,
  attempt: Attempt,
  result: AttemptResult,
  now: number,
): RoutingState {
  const { target } = attempt;
  const next = { ...state[target], inFlight: Math.max(0, state[target].inFlight - 1) };
  return { ...state, [target]: settle(state, next, attempt, result, now) };
}

function settle(
  state: RoutingState,
  known: TargetState,
  attempt: Attempt,
  result: AttemptResult,
  now: number,
): TargetState {
  const elapsed = Math.max(0, now - attempt.startedAt);
  switch (result.kind) {
    case 'answered': {
      const health = succeeded(known.health, attempt.startedAt, now);
      if (!attempt.infers || result.refused) return { ...known, health };
      return learn({ ...known, health }, attempt, elapsed, result, now);
    }
    case 'cancelled':
      return abandoned(known, attempt);
    case 'timeout': {
      // It takes at least so long: otherwise a target that never answers in time would never be learned about.
      const slower = atLeast(known, attempt, elapsed, now);
      const isFair = elapsed >= FAIR_TIMEOUT_MS || attempt.reason === 'trial';
      return isFair ? fail(state, slower, attempt, now) : slower;
    }
    case 'failed':
      return fail(state, known, attempt, now);
  }
}

const abandoned = (known: TargetState, { reason }: Attempt): TargetState =>
  reason === 'trial' ? { ...known, health: trialAbandoned(known.health) } : known;

function fail(state: RoutingState, known: TargetState, attempt: Attempt, now: number): TargetState {
  const mayEject = TARGETS.some(
    (other) =>
      other !== attempt.target && state[other].configured && healthAt(state[other].health, now) === 'healthy',
  );
  const health = failedHealth(known.health, attempt.startedAt, now, mayEject);
  const isNew = health.kind === 'ejected' && health.since === now && health !== known.health;
  return { ...known, errors: known.errors + 1, ejections: known.ejections + (isNew ? 1 : 0), health };
}

/** What the answer would have taken on an idle target, by the same rule as predictions. */
const unloaded = ({ target, ahead }: Attempt, elapsed: number) => elapsed / loadFactor(ahead, LANES[target]);

function learn(
  known: TargetState,
  attempt: Attempt,
  elapsed: number,
  { cold, reported }: { readonly cold: boolean; readonly reported: number | null },
  now: number,
): TargetState {
  const reading = unloaded(attempt, elapsed);
  return {
    ...known,
    warm: cold ? known.warm : observe(known.warm, reading, now),
    cold: cold ? observe(known.cold, reading, now) : known.cold,
    window: remember(known.window, elapsed),
    // The target counts this request, which is ours and was taken out of our count just now.
    others: reported === null ? 0 : Math.max(0, reported - 1 - known.inFlight),
    reportedAt: now,
    models: withModel(known.models, attempt.model, now),
  };
}

function atLeast(known: TargetState, attempt: Attempt, elapsed: number, now: number): TargetState {
  const reading = unloaded(attempt, elapsed);
  const isWarm = now - (known.models.get(attempt.model) ?? -Infinity) < WARM_MS;
  const ewma = isWarm ? known.warm : known.cold;
  if (!attempt.infers || (ewma !== null && reading <= ewmaValue(ewma, now))) return known;
  const slower = observe(ewma, reading, now);
  return isWarm ? { ...known, warm: slower } : { ...known, cold: slower };
}

/** The time is kept to a second, so that the map is rarely copied. */
function withModel(models: ReadonlyMap<string, number>, model: string, now: number) {
  const last = models.get(model);
  if (last !== undefined && now - last < 1_000) return models;
  const next = new Map(models);
  next.delete(model);
  next.set(model, now);
  for (const oldest of next.keys()) {
    if (next.size <= MODELS) break;
    next.delete(oldest);
  }
  return next;
}
