/**
 * What one target has taught about its latency: network, service and cold start, each from what it can be seen in.
 *
 *   predicted = network(bytes) + queue · service(bytes) + service(bytes) + cold
 *
 * `service` is what an idle target with the model loaded takes, per model, by payload size; a reading is divided by
 * the load there was when its request began, so that queueing is not counted twice. A target that can time itself
 * says its share of an answer (`x-causeway-service-ms`), the rest is `network`; a Worker's clock stands still while it
 * computes, so at the edge all is service. `cold` is by how much an answer for which the model had to be loaded is above
 * that; cold starts are learned over all models, since the next one is of a model that nothing is known of.
 */
import { type Ewma, ewmaValue, observe } from './estimate.ts';
import { type Mean, meanValue, observeMean } from './mean.ts';
import { EMPTY_LINE, learnLine, type Line, resized, slopeOf } from './line.ts';
import { type Parts, totalMs } from './policy.ts';
import { learnRatio, noRatios, type Ratios } from './ratios.ts';

/** Milliseconds after its last answer that a model is taken to be still loaded: idle isolates and functions go. */
export const WARM_MS = 5 * 60_000;
/** Models remembered per target; the least recently answered goes first. */
export const MODELS = 64;
/** A part of the latency, by payload size. */
export interface Sized {
  /** At the mean size of `line`. */
  readonly mean: Mean | null;
  readonly line: Line;
}

const UNKNOWN: Sized = { mean: null, line: EMPTY_LINE };

function learnSized({ mean, line }: Sized, bytes: number, ms: number, now: number, isTry: boolean): Sized {
  const next = learnLine(line, bytes, ms, now);
  const slope = slopeOf(next);
  // Moving the mean size moves what the mean stands for.
  const moved = mean && slope > 0 ? shift(mean, slope * (next.bytes - line.bytes)) : mean;
  return { mean: observeMean(moved, resized(ms, slope, bytes, next.bytes), now, isTry), line: next };
}

const shift = (mean: Mean, by: number): Mean => ({
  ...mean,
  long: Math.max(0, mean.long + by),
  short: Math.max(0, mean.short + by),
  best: mean.best && Math.max(0, mean.best + by),
});

function sizedValue({ mean, line }: Sized, bytes: number): number | null {
  return mean === null ? null : resized(meanValue(mean), slopeOf(line), line.bytes, bytes);
}

export interface ModelKnown {
  readonly service: Sized;
  /** The same, sensitive to peaks and blind to sizes: what Peak EWMA weighs. */
  readonly peak: Ewma | null;
  /** When it last answered, milliseconds. */
  readonly answeredAt: number;
}

export interface Learned {
  readonly network: Sized;
  /** Loading and computing together, of any model. */
  readonly cold: Mean | null;
  /** The least recently answered first. */
  readonly models: ReadonlyMap<string, ModelKnown>;
  /** Actual over predicted. */
  readonly ratios: Ratios;
  readonly spread: number;
  readonly learnedAt: number | null;
  /** When the request was sent that showed what made the target slow to be over, milliseconds. */
  readonly anewAt: number;
}

export const nothingLearned = (): Learned => ({
  network: UNKNOWN,
  cold: null,
  models: new Map(),
  ratios: noRatios(),
  spread: 1,
  learnedAt: null,
  anewAt: -Infinity,
});

/** How long one more request waits, in service times of those ahead. */
export const queueFactor = (inFlight: number, lanes: number): number =>
  Math.max(0, inFlight + 1 - lanes) / lanes;

export interface Question {
  readonly model: string;
  readonly bytes: number;
  /** Waiting in service times, see {@link queueFactor}. */
  readonly queue: number;
  /** Mean service time of those waited for, milliseconds; undefined: as that of this request. */
  readonly aheadMs?: number | undefined;
}

/** @returns null where nothing is known: of the warm model, or of a cold start where one is expected */
export function partsOf(
  known: Learned,
  { model, bytes, queue, aheadMs }: Question,
  now: number,
): Parts | null {
  const own = known.models.get(model);
  const isWarm = own !== undefined && now - own.answeredAt < WARM_MS;
  const warm = own === undefined ? null : sizedValue(own.service, bytes);
  const cold = known.cold === null ? null : meanValue(known.cold);
  if ((isWarm ? warm : cold) === null) return null;
  const service = warm ?? 0;
  return {
    network: sizedValue(known.network, bytes) ?? 0,
    queue: queue * (aheadMs ?? service),
    service,
    cold: isWarm ? 0 : Math.max(0, cold! - service),
  };
}

/** When the model last answered, milliseconds; null: never. */
export const answeredAt = (known: Learned, model: string): number | null =>
  known.models.get(model)?.answeredAt ?? null;

/** Peak EWMA of an idle target with the model loaded, milliseconds; null: unknown. */
export function peakMs(known: Learned, model: string, now: number): number | null {
  const peak = known.models.get(model)?.peak ?? null;
  return peak === null ? null : ewmaValue(peak, now);
}

export interface Reading extends Question {
  /** Of the time in the target, what was expected to be its own and not that of those ahead of it. */
  readonly share: number;
  /** Milliseconds the answer took. */
  readonly elapsedMs: number;
  /** Of these in the target, where it can time itself. */
  readonly serviceMs: number | null;
  readonly isCold: boolean;
  /** It was sent beside a request, to learn from or as a second attempt, to a target that had been left alone. */
  readonly isTry: boolean;
  /** What was predicted when it was sent. */
  readonly predictedMs: number | null;
}

export function learn(known: Learned, reading: Reading, now: number): Learned {
  const { model, bytes, share, elapsedMs, isCold, isTry } = reading;
  if (isOfThePast(known, reading, now)) return { ...known, learnedAt: now };
  const inTarget = Math.min(elapsedMs, reading.serviceMs ?? elapsedMs);
  // Before a cold answer a connection was opened and an environment started: that is no way to the next answer.
  const network = isCold ? known.network : learnSized(known.network, bytes, elapsedMs - inTarget, now, isTry);
  const { service: before = UNKNOWN, peak: peakBefore = null } = known.models.get(model) ?? {};
  const unloaded = share * (isCold ? Math.max(0, elapsedMs - (sizedValue(network, bytes) ?? 0)) : inTarget);
  const service = isCold ? before : learnSized(before, bytes, unloaded, now, isTry);
  const isNew = isAnew(known.network.mean, network.mean) || isAnew(before.mean, service.mean);
  const peak = isCold ? peakBefore : observe(peakBefore, elapsedMs * share, now);
  return {
    network,
    cold: isCold ? observeMean(known.cold, unloaded, now) : known.cold,
    models: withModel(known.models, model, { service, peak, answeredAt: now }),
    ...spreadOf(known, reading, isNew, now),
    learnedAt: now,
    anewAt: isNew ? now - elapsedMs : known.anewAt,
  };
}

/**
 * Answers come in another order than the requests were sent in, the slow ones last: what was sent while the target was
 * still slow is no news when a later request has been answered quickly.
 */
const isOfThePast = ({ anewAt }: Learned, { elapsedMs }: Pick<Reading, 'elapsedMs'>, now: number): boolean =>
  now - elapsedMs < anewAt;

/** It takes at least so long: otherwise a target that never answers in time would never be learned about. */
export function learnAtLeast(
  known: Learned,
  reading: Omit<Reading, 'isCold' | 'serviceMs'>,
  now: number,
): Learned {
  if (isOfThePast(known, reading, now)) return known;
  const expected = partsOf(known, reading, now);
  if (expected !== null && reading.elapsedMs <= totalMs(expected)) return known;
  const own = known.models.get(reading.model);
  if (own !== undefined && now - own.answeredAt < WARM_MS)
    return learn(known, { ...reading, isCold: false, serviceMs: null }, now);
  // It has not answered: its model is not loaded yet.
  const cold = observeMean(known.cold, reading.elapsedMs * reading.share, now);
  return { ...known, cold, learnedAt: now };
}

function spreadOf(
  { ratios, spread }: Learned,
  { elapsedMs, predictedMs }: Reading,
  isNew: boolean,
  now: number,
) {
  // What was predicted before says nothing of what is now.
  if (isNew) return { ratios: noRatios(), spread: 1 };
  if (predictedMs === null || predictedMs <= 0) return { ratios, spread };
  const next = learnRatio(ratios, elapsedMs / predictedMs, now);
  // Until it has been looked at, what others said holds.
  return { ratios: next, spread: next.lookedAt === -Infinity ? spread : next.spread };
}

/** Whether a part was begun anew with the last reading, see mean.ts. */
const isAnew = (before: Mean | null, after: Mean | null): boolean => before !== null && after?.weight === 1;

function withModel(models: ReadonlyMap<string, ModelKnown>, model: string, known: ModelKnown) {
  const next = new Map(models);
  next.delete(model);
  next.set(model, known);
  for (const oldest of next.keys()) {
    if (next.size <= MODELS) break;
    next.delete(oldest);
  }
  return next;
}
