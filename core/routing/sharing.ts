/**
 * Isolates share no memory, but those of a point of presence may tell each other what they see. Each tells its own
 * readings only, never what it was told: otherwise a rumour would come back as news and outlive its reason. What it is
 * told it takes where it has nothing of its own, or nothing recent, and weighs it as a few readings of its own.
 */
import type { Estimate, SizedSummary, Summary, TargetSummary, Told } from '../contracts/sharing.ts';
import { SHARED_NAME } from '../contracts/sharing.ts';
import { answeredElsewhere, ejectedElsewhere, type Health, healthAt } from './ejection.ts';
import { TAU_MS, WINDOW } from './estimate.ts';
import { type Learned, type ModelKnown, MODELS, type Sized } from './learning.ts';
import { type Line, LINE_TAU_MS, resized, slopeOf } from './line.ts';
import { type Mean, meanValue } from './mean.ts';
import { bounded, NEWS_MS } from './merging.ts';
import type { RoutingState, TargetState } from './state.ts';

/** Milliseconds after which what others saw since is better than an isolate's own last reading. */
export const OWN_MS = 10_000;
/** Readings that what is told weighs at most: soon outweighed by an isolate's own. A slope needs more to be seen. */
const TOLD_READINGS = 4;
const TOLD_LINE = 32;

const since = (at: number, now: number): number => Math.max(0, now - at);

/** What this isolate has seen itself. */
export function summaryOf(state: RoutingState, now: number): Summary {
  const targets = Array.from(state.values()).filter(({ config }) => config.id.length <= SHARED_NAME);
  return bounded(Object.fromEntries(targets.map((target) => [target.config.id, targetSummary(target, now)])));
}

function targetSummary({ inFlight, learned, health }: TargetState, now: number): TargetSummary {
  const { cold, models, ratios, spread } = learned;
  const answeredAt = ownAnswerAt(learned);
  const answeredMs = answeredAt === null ? null : since(answeredAt, now);
  const isEjected = health.kind === 'ejected' && health.isTold !== true && health.until > now;
  // Who has seen it fail since is no witness of its health.
  const answers = health.kind === 'healthy' && health.failures === 0;
  const own = Array.from(models).flatMap(([name, { service, answeredAt: at }]) => {
    const sized = name.length <= SHARED_NAME ? sizedSummary(service, now) : null;
    return sized === null ? [] : [[name, { service: sized, answeredMs: since(at, now) }] as const];
  });
  return {
    inFlight,
    answering: answers && answeredMs !== null && answeredMs < NEWS_MS ? 1 : 0,
    ejecting: isEjected ? 1 : 0,
    answeredMs,
    ejectedMs: isEjected ? health.until - now : 0,
    network: sizedSummary(learned.network, now),
    cold: cold === null || cold.isTold === true ? null : estimateOf(cold, 0, now),
    spread: { weight: Math.min(WINDOW, ratios.added), value: spread },
    models: Object.fromEntries(own),
  };
}

/** When it last answered this very isolate with a loaded model; null: never. */
function ownAnswerAt({ models }: Learned): number | null {
  const times = Array.from(models.values(), ({ service: { mean } }) =>
    mean === null || mean.isTold === true ? -Infinity : mean.at,
  );
  const last = Math.max(-Infinity, ...times);
  return last === -Infinity ? null : last;
}

const estimateOf = (mean: Mean, bytes: number, now: number): Estimate => ({
  weight: mean.weight * Math.exp(-since(mean.at, now) / TAU_MS),
  ms: meanValue(mean),
  deviation: mean.deviation,
  bytes,
});

function sizedSummary({ mean, line }: Sized, now: number): SizedSummary | null {
  if (mean === null || mean.isTold === true) return null;
  const keeps = Math.exp(-since(line.at, now) / LINE_TAU_MS);
  const { weight, bytes, ms, bytesSquared, mixed } = line;
  const moments = {
    weight: weight * keeps,
    bytes,
    ms,
    bytesSquared: bytesSquared * keeps,
    mixed: mixed * keeps,
  };
  return { mean: estimateOf(mean, bytes, now), line: moments };
}

/** @param now on this isolate's clock, when it was told */
export function told(state: RoutingState, { summary }: Told, now: number): RoutingState {
  const next = new Map(state);
  for (const [id, target] of state) {
    if (!Object.hasOwn(summary, id)) continue;
    const news = summary[id]!;
    next.set(id, {
      ...target,
      elsewhere: news.inFlight,
      elsewhereAt: now,
      learned: learnedFrom(target.learned, news, now),
      health: healthFrom(next, target, news, now),
    });
  }
  return next;
}

/** What most of those who asked it lately see, unless this isolate has just seen otherwise. */
function healthFrom(state: RoutingState, target: TargetState, news: TargetSummary, now: number): Health {
  const { health, learned, config } = target;
  const { answering, ejecting, answeredMs, ejectedMs } = news;
  if (health.kind === 'ejected') {
    const isBack = answering > ejecting && answeredMs !== null && now - answeredMs > health.since;
    return isBack ? answeredElsewhere(health, now) : health;
  }
  const answeredAt = ownAnswerAt(learned);
  const answersHere = health.failures === 0 && answeredAt !== null && now - answeredAt < NEWS_MS;
  const hasOther = Array.from(state.values()).some(
    (other) => other.config.id !== config.id && healthAt(other.health, now) === 'healthy',
  );
  return ejecting > answering && !answersHere && hasOther ? ejectedElsewhere(ejectedMs, now) : health;
}

function learnedFrom(known: Learned, news: TargetSummary, now: number): Learned {
  const network = isWanted(known.network.mean, news.network?.mean, now)
    ? (sizedFrom(news.network, now) ?? known.network)
    : known.network;
  const cold = isWanted(known.cold, news.cold ?? undefined, now) ? meanFrom(news.cold!, 0, now) : known.cold;
  const models = new Map(known.models);
  for (const [name, { service, answeredMs }] of Object.entries(news.models)) {
    const own = known.models.get(name);
    const sized = isWanted(own?.service.mean ?? null, service.mean, now) ? sizedFrom(service, now) : null;
    if (sized === null) continue;
    const answeredAt = Math.max(own?.answeredAt ?? -Infinity, now - answeredMs);
    models.set(name, { service: sized, peak: peakFrom(sized, network), answeredAt });
  }
  const answeredAt = news.answeredMs === null ? null : now - news.answeredMs;
  return {
    ...known,
    network,
    cold,
    models: newest(models),
    // A few readings of its own say more of it than none.
    spread: known.ratios.added === 0 && news.spread.weight > 0 ? news.spread.value : known.spread,
    learnedAt: answeredAt === null ? known.learnedAt : Math.max(known.learnedAt ?? -Infinity, answeredAt),
  };
}

/** Whether it is better than what this isolate has. */
function isWanted(own: Mean | null, offered: Estimate | undefined, now: number): boolean {
  if (offered === undefined || offered.weight <= 0) return false;
  if (own === null) return true;
  const ownWeight = own.weight * Math.exp(-since(own.at, now) / TAU_MS);
  return (own.isTold === true || since(own.at, now) > OWN_MS) && offered.weight > ownWeight;
}

function meanFrom({ ms, deviation, weight }: Estimate, by: number, now: number): Mean {
  const value = Math.max(0, ms + by);
  return {
    long: value,
    short: value,
    deviation,
    weight: Math.min(TOLD_READINGS, weight),
    best: null,
    at: now,
    isTold: true,
  };
}

function sizedFrom(news: SizedSummary | null, now: number): Sized | null {
  if (news === null) return null;
  const { mean, line: moments } = news;
  const keeps = moments.weight === 0 ? 0 : Math.min(1, TOLD_LINE / moments.weight);
  const line: Line = {
    weight: moments.weight * keeps,
    bytes: moments.bytes,
    ms: moments.ms,
    bytesSquared: moments.bytesSquared * keeps,
    mixed: moments.mixed * keeps,
    at: now,
  };
  // The mean stands for the mean size of the line.
  const at = resized(mean.ms, slopeOf(line), mean.bytes, line.bytes);
  return { mean: meanFrom(mean, at - mean.ms, now), line };
}

/** Peak EWMA weighs the whole time, and without readings of its own there is no peak. */
function peakFrom({ mean }: Sized, network: Sized): ModelKnown['peak'] {
  const { long, weight, at } = mean!;
  const ms = long + (network.mean === null ? 0 : meanValue(network.mean));
  return { mean: ms, level: ms, weight, at };
}

/** As many as are remembered, the least recently answered first. */
function newest(models: ReadonlyMap<string, ModelKnown>): ReadonlyMap<string, ModelKnown> {
  const sorted = [...models].sort(([, a], [, b]) => a.answeredAt - b.answeredAt);
  return new Map(sorted.slice(-MODELS));
}
