/**
 * What to do about a round that is open still. Pure: from what is there, to what to announce and when to look again.
 *
 * A shard's start leaves no trace, its end does: an update says when its execution began. The queue hands messages out
 * in roughly their order, so while the fleet works through a round the latest known start moves on, and what is missing
 * may not have begun. Silence is the time since that start. Where it is long beside what the finished shards took,
 * whatever is missing is slow or dead, and gets a backup copy: speculative execution (Dean & Ghemawat, "MapReduce", OSDI
 * 2004, section 3.6; Zaharia et al., "Improving MapReduce Performance in Heterogeneous Environments", OSDI 2008). The
 * copy writes the same bytes, so the first of the two counts and nothing else changes.
 */
import { median } from '../median.ts';
import { MAX_DELAY_S } from '../queue/task-queue.ts';

/** Updates asked about at a time: most rounds are open, and the first that is missing says so. */
export const ASKED_AT_ONCE = 16;
/** A shard is slow at this many times the median of the finished ones, and never before a cold function would have begun. */
const SLOW = { factor: 3, atLeastS: 5 } as const;
/** Share of the shards that must have finished for their median to speak for the others. */
const SPEAKING_SHARE = 0.5;
/**
 * Looks in a row without any progress before a round's missing shards are given up, and as many more before its merge is;
 * each waits twice as long as the one before.
 */
export const MAX_LOOKS = 8;

export interface WatchTimes {
  /** Seconds of silence after which shards are announced again where no finished shard says better. */
  readonly watchSeconds: number;
  /** Seconds of silence after which a missing shard counts as lost, and a quorum is enough. */
  readonly lostSeconds: number;
}

export interface DoneShard {
  /** Unix time in milliseconds. */
  readonly startedAt: number;
  readonly seconds: number;
}

export interface OpenRound {
  readonly shards: number;
  /** Updates that are enough once the others are lost. */
  readonly quorum: number;
  readonly done: readonly DoneShard[];
  /** How many ended in a fault for good. */
  readonly lost: number;
  /** Unix time in milliseconds. */
  readonly announcedAt: number;
  readonly now: number;
  /** Looks in a row that saw no progress, what the last one saw, and how often shards were announced again. */
  readonly look: number;
  readonly seen: number;
  readonly copies: number;
}

export type Verdict =
  | { readonly kind: 'merge' }
  | { readonly kind: 'give-up'; readonly silence: number }
  | { readonly kind: 'wait'; readonly again: boolean };

export interface Look {
  readonly verdict: Verdict;
  /** What the next look is to know, and the seconds until it. */
  readonly next: { readonly look: number; readonly seen: number; readonly copies: number };
  readonly delaySeconds: number;
}

/** Seconds of silence after which the missing are slow. @param seconds of the shards that finished */
export function slowAfter(seconds: readonly number[], { watchSeconds }: WatchTimes): number {
  const typical = median(seconds);
  if (typical === undefined) return watchSeconds;
  return Math.min(watchSeconds, Math.max(SLOW.atLeastS, SLOW.factor * typical));
}

export function lookAt(round: OpenRound, times: WatchTimes): Look {
  const { shards, quorum, done, lost, now } = round;
  const missing = shards - done.length - lost;
  const lastStart = done.reduce((latest, { startedAt }) => Math.max(latest, startedAt), round.announcedAt);
  const silence = Math.max(0, (now - lastStart) / 1000);
  const seen = done.length + lost;
  const look = seen > round.seen ? 0 : round.look + 1;

  const speaks = done.length >= Math.max(1, Math.floor(shards * SPEAKING_SHARE));
  const slow = slowAfter(speaks ? done.map(({ seconds }) => seconds) : [], times);
  const verdict = ((): Verdict => {
    if (look >= 2 * MAX_LOOKS) return { kind: 'give-up', silence };
    if (done.length >= quorum && (missing === 0 || silence >= times.lostSeconds)) return { kind: 'merge' };
    if (done.length + missing < quorum || look >= MAX_LOOKS)
      return done.length >= quorum ? { kind: 'merge' } : { kind: 'give-up', silence };
    return { kind: 'wait', again: missing > 0 && silence >= slow };
  })();
  const copies = round.copies + (verdict.kind === 'wait' && verdict.again ? 1 : 0);
  const untilLost = quorum < shards && silence < times.lostSeconds ? times.lostSeconds - silence : Infinity;
  return {
    verdict,
    next: { look, seen, copies },
    delaySeconds: delay(Math.min(slow * 2 ** Math.max(look, copies), untilLost)),
  };
}

/** Seconds from a round's announcement to the first look. @param previous seconds of the shards of the round before */
export function firstLook(
  previous: readonly number[],
  times: WatchTimes,
  { shards, quorum }: Pick<OpenRound, 'shards' | 'quorum'>,
): number {
  return delay(Math.min(slowAfter(previous, times), quorum < shards ? times.lostSeconds : Infinity));
}

const delay = (seconds: number) => Math.min(MAX_DELAY_S, Math.max(1, Math.ceil(seconds)));
