/**
 * The isolates of a point of presence, each with the newest summary it told. Joining two gatherings takes the newer of
 * each isolate's summaries: the join is commutative, associative and idempotent (Shapiro, Preguiça, Baquero & Zawirski
 * 2011, "Conflict-free replicated data types", SSS), so that a message lost, late or doubled does no harm.
 */
import type { Announcements, Summary, Telling, Told } from '../contracts/sharing.ts';
import { mergedAnnouncements } from './announced.ts';
import { aged, bounded, merged } from './merging.ts';

/** Milliseconds that a summary is kept: as long as a model is taken to be loaded. */
export const KEPT_MS = 5 * 60_000;
/** Isolates kept, those heard of last: each exchange merges them all. */
export const ISOLATES = 64;

interface Heard {
  readonly sequence: number;
  /** When it was told, milliseconds on the keeper's clock. */
  readonly at: number;
  readonly summary: Summary;
  readonly announced: Announcements;
}

/** By isolate. */
export type Gathering = ReadonlyMap<string, Heard>;

export const NOBODY: Gathering = new Map();

export function joined(a: Gathering, b: Gathering): Gathering {
  const all = new Map(a);
  for (const [isolate, heard] of b) {
    const known = all.get(isolate);
    if (known === undefined || heard.sequence > known.sequence) all.set(isolate, heard);
  }
  return all;
}

/** @param now milliseconds on the keeper's clock */
export function heard(gathering: Gathering, telling: Telling, now: number): Gathering {
  const { isolate, sequence, summary, announced = {} } = telling;
  const newest = { sequence, at: now, summary: bounded(summary), announced };
  const all = joined(gathering, new Map([[isolate, newest]]));
  const kept = [...all]
    .filter(([, { at }]) => now - at < KEPT_MS)
    .sort(([, a], [, b]) => b.at - a.at)
    .slice(0, ISOLATES);
  return new Map(kept);
}

/** What the others know: an isolate's own readings must not come back to it as news. */
export function toldTo(gathering: Gathering, isolate: string, now: number): Told {
  const others = [...gathering].filter(([id, { at }]) => id !== isolate && now - at < KEPT_MS);
  const summaries = others.map(([, { summary, at }]) => aged(summary, Math.max(0, now - at)));
  const told = others.map(([, { announced, at }]) => ({ announced, ageMs: Math.max(0, now - at) }));
  const announced = mergedAnnouncements(told);
  return {
    v: 1,
    isolates: others.length,
    summary: bounded(summaries.reduce(merged, {})),
    ...(Object.keys(announced).length === 0 ? {} : { announced }),
  };
}
