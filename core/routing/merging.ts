/**
 * What several isolates know, as one. Every field is a sum, a weighted mean, a minimum or a maximum, so that the order
 * of merging does not matter, but for rounding.
 */
import {
  type Estimate,
  type ModelSummary,
  type Moments,
  SHARED_MODELS,
  SHARED_TARGETS,
  type SizedSummary,
  type Summary,
  type TargetSummary,
} from '../contracts/sharing.ts';
import { TAU_MS } from './estimate.ts';
import { LINE_TAU_MS } from './line.ts';

/** Milliseconds that an isolate's word about its requests in flight, and that it is answered, is news: two exchanges. */
export const NEWS_MS = 2_000;

const weighted = (a: number, left: number, b: number, right: number): number =>
  left + right === 0 ? 0 : (a * left + b * right) / (left + right);

function mergedEstimate(a: Estimate, b: Estimate): Estimate {
  const of = (field: 'ms' | 'deviation' | 'bytes') => weighted(a[field], a.weight, b[field], b.weight);
  return { weight: a.weight + b.weight, ms: of('ms'), deviation: of('deviation'), bytes: of('bytes') };
}

/** Chan, Golub & LeVeque 1983, "Algorithms for computing the sample variance", American Statistician 37(3). */
function mergedMoments(a: Moments, b: Moments): Moments {
  const weight = a.weight + b.weight;
  const [dx, dy] = [b.bytes - a.bytes, b.ms - a.ms];
  const cross = weight === 0 ? 0 : (a.weight * b.weight) / weight;
  return {
    weight,
    bytes: weighted(a.bytes, a.weight, b.bytes, b.weight),
    ms: weighted(a.ms, a.weight, b.ms, b.weight),
    bytesSquared: a.bytesSquared + b.bytesSquared + dx * dx * cross,
    mixed: a.mixed + b.mixed + dx * dy * cross,
  };
}

const mergedSized = (a: SizedSummary, b: SizedSummary): SizedSummary => ({
  mean: mergedEstimate(a.mean, b.mean),
  line: mergedMoments(a.line, b.line),
});

const mergedModel = (a: ModelSummary, b: ModelSummary): ModelSummary => ({
  service: mergedSized(a.service, b.service),
  answeredMs: Math.min(a.answeredMs, b.answeredMs),
});

/** One that is there is the merger with one that is not. */
const either = <T>(a: T | null, b: T | null, both: (a: T, b: T) => T): T | null =>
  a === null ? b : b === null ? a : both(a, b);

function mergedRecords<T>(
  a: Readonly<Record<string, T>>,
  b: Readonly<Record<string, T>>,
  both: (a: T, b: T) => T,
): Record<string, T> {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  const of = (from: Readonly<Record<string, T>>, name: string) =>
    Object.hasOwn(from, name) ? from[name]! : null;
  return Object.fromEntries(
    Array.from(names, (name) => [name, either(of(a, name), of(b, name), both)!] as const),
  );
}

function mergedTarget(a: TargetSummary, b: TargetSummary): TargetSummary {
  const ejectedMs = a.ejecting === 0 ? b.ejectedMs : b.ejecting === 0 ? a.ejectedMs : undefined;
  return {
    inFlight: a.inFlight + b.inFlight,
    answering: a.answering + b.answering,
    ejecting: a.ejecting + b.ejecting,
    answeredMs: either(a.answeredMs, b.answeredMs, Math.min),
    // The first to try it again tells the others.
    ejectedMs: ejectedMs ?? Math.min(a.ejectedMs, b.ejectedMs),
    network: either(a.network, b.network, mergedSized),
    cold: either(a.cold, b.cold, mergedEstimate),
    spread: {
      weight: a.spread.weight + b.spread.weight,
      value: Math.max(1, weighted(a.spread.value, a.spread.weight, b.spread.value, b.spread.weight)),
    },
    models: mergedRecords(a.models, b.models, mergedModel),
  };
}

/** Of different isolates: the same summary twice counts twice. */
export const merged = (a: Summary, b: Summary): Summary => mergedRecords(a, b, mergedTarget);

const faded = <T extends { readonly weight: number }>(estimate: T, keeps: number): T => ({
  ...estimate,
  weight: estimate.weight * keeps,
});

function agedSized({ mean, line }: SizedSummary, ms: number): SizedSummary {
  const keeps = Math.exp(-ms / LINE_TAU_MS);
  const { bytesSquared, mixed } = line;
  return {
    mean: faded(mean, Math.exp(-ms / TAU_MS)),
    line: { ...faded(line, keeps), bytesSquared: bytesSquared * keeps, mixed: mixed * keeps },
  };
}

/** What a summary is worth when it is so old, milliseconds. */
export function aged(summary: Summary, ms: number): Summary {
  const keeps = Math.exp(-ms / TAU_MS);
  const age = (target: TargetSummary): TargetSummary => {
    const answeredMs = target.answeredMs === null ? null : target.answeredMs + ms;
    const isEjected = target.ejectedMs > ms;
    return {
      inFlight: ms < NEWS_MS ? target.inFlight : 0,
      answering: answeredMs !== null && answeredMs < NEWS_MS ? target.answering : 0,
      ejecting: isEjected ? target.ejecting : 0,
      answeredMs,
      ejectedMs: isEjected ? target.ejectedMs - ms : 0,
      network: target.network && agedSized(target.network, ms),
      cold: target.cold && faded(target.cold, keeps),
      spread: faded(target.spread, keeps),
      models: Object.fromEntries(
        Object.entries(target.models).map(([name, { service, answeredMs: since }]) => [
          name,
          { service: agedSized(service, ms), answeredMs: since + ms },
        ]),
      ),
    };
  };
  return Object.fromEntries(Object.entries(summary).map(([id, target]) => [id, age(target)]));
}

/** At most so many targets and models: of the models those that answered last. */
export function bounded(summary: Summary): Summary {
  const models = (all: TargetSummary['models']) =>
    Object.fromEntries(
      Object.entries(all)
        .sort(([, a], [, b]) => a.answeredMs - b.answeredMs)
        .slice(0, SHARED_MODELS),
    );
  return Object.fromEntries(
    Object.entries(summary)
      .slice(0, SHARED_TARGETS)
      .map(([id, target]) => [id, { ...target, models: models(target.models) }]),
  );
}
