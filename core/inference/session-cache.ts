/**
 * Loaded models by the SHA-256 of their file: least recently used first out, bounded by the memory they take.
 * A session is loaded once however many ask at the same time, and never released while somebody uses it.
 */
import { Fault } from '../errors.ts';
import { type Defer, singleFlight } from './background.ts';
import { MEMORY_FACTOR, NEGATIVE_MS, SHARED_WORK_MS } from './config.ts';
import { createSignal } from './signal.ts';

/** What is loaded: an ONNX file and its size. */
export interface ModelFile {
  readonly sha256: string;
  readonly bytes: number;
}

/** What is kept, once loaded. */
export interface Releasable {
  release(): Promise<void>;
}

export interface Lease<S extends Releasable> {
  readonly session: S;
  /** True where the session had to be loaded for this lease. */
  readonly cold: boolean;
  /** Must be called exactly once, when the session is no longer used. */
  done(): void;
}

export interface SessionCache<S extends Releasable> {
  acquire(file: ModelFile, load: () => Promise<S>, defer: Defer): Promise<Lease<S>>;
  /** Bytes of memory taken, by {@link MEMORY_FACTOR}; and which files are loaded, least recently used first. */
  stats(): { readonly bytes: number; readonly files: readonly string[] };
}

interface Entry<S> {
  readonly session: S;
  readonly cost: number;
  users: number;
}

/** A load under way. */
interface Load {
  /** Bytes counted as taken on its behalf: its own, and those of sessions that it is releasing. */
  held: number;
  /** It was taken for dead, and another began in its place. It may only have been slow. */
  abandoned: boolean;
}

export function createSessionCache<S extends Releasable>(options: {
  /** Bytes of memory for all sessions together. */
  readonly limitBytes: number;
  /** Milliseconds. */
  readonly clock: () => number;
}): SessionCache<S> {
  const { limitBytes, clock } = options;
  /** In order of use: JavaScript's Map keeps the order of insertion. */
  const entries = new Map<string, Entry<S>>();
  const failures = new Map<string, { readonly at: number; readonly thrown: unknown }>();
  const flights = singleFlight<void>(clock, SHARED_WORK_MS);
  const changed = createSignal();
  /** The last of each file. */
  const loads = new Map<string, Load>();
  /** Bytes of what is loaded and of what is being loaded. */
  let taken = 0;

  function lease(sha256: string, entry: Entry<S>, cold: boolean): Lease<S> {
    entries.delete(sha256);
    entries.set(sha256, entry);
    entry.users += 1;
    return {
      session: entry.session,
      cold,
      done() {
        entry.users -= 1;
        if (entry.users === 0) changed.notify();
      },
    };
  }

  function leastRecentlyUsed(): [string, Entry<S>] | undefined {
    for (const each of entries) if (each[1].users === 0) return each;
    return undefined;
  }

  function hold(load: Load, bytes: number): void {
    load.held += bytes;
    taken += bytes;
  }

  /** Nothing where the load was abandoned: all that it held is given back already. */
  function giveBack(load: Load, bytes: number): void {
    if (load.abandoned || bytes === 0) return;
    load.held -= bytes;
    taken -= bytes;
    changed.notify();
  }

  /** A load that died without a word cannot give back what it held. */
  function abandon(load: Load): void {
    giveBack(load, load.held);
    load.abandoned = true;
  }

  /**
   * Waits where everything that could go is in use.
   * @returns whether the load holds the bytes; false where it was abandoned meanwhile
   */
  async function makeRoom(mine: Load, cost: number): Promise<boolean> {
    while (!mine.abandoned && taken + cost > limitBytes) {
      const victim = leastRecentlyUsed();
      if (victim === undefined) {
        await changed.wait();
        continue;
      }
      const [sha256, { session, cost: freed }] = victim;
      entries.delete(sha256);
      mine.held += freed;
      try {
        await session.release();
      } finally {
        giveBack(mine, freed);
      }
    }
    if (!mine.abandoned) hold(mine, cost);
    return !mine.abandoned;
  }

  async function loadInto(file: ModelFile, load: () => Promise<S>): Promise<void> {
    const { sha256 } = file;
    const cost = Math.ceil(file.bytes * MEMORY_FACTOR);
    if (cost > limitBytes)
      // Retryable elsewhere: another target may have the memory.
      throw new Fault(
        'unavailable',
        `the model takes about ${cost} bytes of memory; this target has ${limitBytes} for models`,
      );
    const before = loads.get(sha256);
    if (before !== undefined) abandon(before);
    const mine: Load = { held: 0, abandoned: false };
    loads.set(sha256, mine);
    try {
      if (!(await makeRoom(mine, cost))) return;
      const session = await load();
      // The first to come is kept, even if it was taken for dead: where every load is slow, the last would never come.
      if (entries.has(sha256)) await session.release();
      else enter(sha256, { session, cost, users: 0 }, mine);
    } finally {
      giveBack(mine, mine.held);
      if (loads.get(sha256) === mine) loads.delete(sha256);
    }
  }

  /** The bytes are the entry's from now on. */
  function enter(sha256: string, entry: Entry<S>, mine: Load): void {
    if (mine.abandoned) taken += entry.cost;
    else mine.held -= entry.cost;
    entries.set(sha256, entry);
    failures.delete(sha256);
  }

  return {
    async acquire(file, load, defer) {
      const { sha256 } = file;
      let entry = entries.get(sha256);
      if (entry !== undefined) return lease(sha256, entry, false);
      const failure = failures.get(sha256);
      if (failure !== undefined && clock() - failure.at < NEGATIVE_MS) throw failure.thrown;
      // Another model's load may evict this one before we get to lease it: then load it again.
      while (entry === undefined) {
        try {
          await flights.run(sha256, () => loadInto(file, load), defer);
        } catch (thrown) {
          failures.set(sha256, { at: clock(), thrown });
          throw thrown;
        }
        entry = entries.get(sha256);
      }
      return lease(sha256, entry, true);
    },
    stats: () => ({ bytes: taken, files: [...entries.keys()] }),
  };
}
