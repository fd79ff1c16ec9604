/**
 * What is learned of one target, as pure transitions. Latency: an exponentially weighted mean with a time constant,
 * as Finagle's Peak EWMA keeps it. Health: consecutive failures eject, as Envoy's outlier detection does.
 */

/** Time constant of the latency estimate (Finagle's default decay time is 10 s). */
export const TAU_MS = 10_000;
/** Least weight of a new reading: many answers within one millisecond of the clock still count. */
const MIN_WEIGHT = 0.05;
/** Consecutive failures that eject, and the base ejection time, which the number of ejections multiplies (Envoy). */
export const EJECT_AFTER = 5;
export const EJECTION_MS = 30_000;
export const MAX_EJECTION_MS = 300_000;

export interface TargetState {
  readonly inFlight: number;
  readonly latencyMs: number | null;
  readonly answeredAt: number | null;
  readonly consecutiveFailures: number;
  readonly ejections: number;
  readonly ejectedUntil: number;
}

export const UNKNOWN: TargetState = {
  inFlight: 0,
  latencyMs: null,
  answeredAt: null,
  consecutiveFailures: 0,
  ejections: 0,
  ejectedUntil: 0,
};

export function started(state: TargetState): TargetState {
  return { ...state, inFlight: state.inFlight + 1 };
}

/**
 * @param ms from sending to the whole answer. Clocks that move in whole milliseconds give 0 and 1: their mean is right.
 * @param cold the target had to load the model first: true of this request, not of the next, so not learned
 */
export function answered(state: TargetState, ms: number, now: number, cold: boolean): TargetState {
  const healthy = {
    ...state,
    inFlight: Math.max(0, state.inFlight - 1),
    consecutiveFailures: 0,
    ejections: state.ejectedUntil <= now && state.consecutiveFailures === 0 ? 0 : state.ejections,
    ejectedUntil: 0,
  };
  if (cold || !Number.isFinite(ms) || ms < 0) return healthy;
  if (state.latencyMs === null || state.answeredAt === null) {
    return { ...healthy, latencyMs: ms, answeredAt: now };
  }
  const elapsed = Math.max(0, now - state.answeredAt);
  const weight = Math.max(MIN_WEIGHT, 1 - Math.exp(-elapsed / TAU_MS));
  return { ...healthy, latencyMs: state.latencyMs + weight * (ms - state.latencyMs), answeredAt: now };
}

/** An error of the target (5xx), a broken connection, a timeout. A 4xx is an answer. */
export function failed(state: TargetState, now: number): TargetState {
  const inFlight = Math.max(0, state.inFlight - 1);
  const consecutiveFailures = state.consecutiveFailures + 1;
  // After an ejection has run out a single failure ejects again: nobody has seen it healthy since.
  const limit = state.ejections > 0 ? 1 : EJECT_AFTER;
  if (consecutiveFailures < limit || state.ejectedUntil > now)
    return { ...state, inFlight, consecutiveFailures };
  const ejections = state.ejections + 1;
  const ejectedUntil = now + Math.min(MAX_EJECTION_MS, EJECTION_MS * ejections);
  return { ...state, inFlight, consecutiveFailures: 0, ejections, ejectedUntil };
}

/** The client went away: it says nothing about the target. */
export function abandoned(state: TargetState): TargetState {
  return { ...state, inFlight: Math.max(0, state.inFlight - 1) };
}
