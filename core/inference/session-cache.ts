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

  /** Waits where everything that could go is in use. On return the bytes are taken. */
  async function makeRoom(cost: number): Promise<void> {
    while (taken + cost > limitBytes) {
      const victim = leastRecentlyUsed();
      if (victim === undefined) {
        await changed.wait();
        continue;
      }
      const [sha256, { session, cost: freed }] = victim;
      entries.delete(sha256);
      try {
        await session.release();
      } finally {
        taken -= freed;
        changed.notify();
      }
    }
    taken += cost;
  }

  async function loadInto(file: ModelFile, load: () => Promise<S>): Promise<void> {
    const cost = Math.ceil(file.bytes * MEMORY_FACTOR);
    if (cost > limitBytes)
      // Retryable elsewhere: another target may have the memory.
      throw new Fault(
        'unavailable',
        `the model takes about ${cost} bytes of memory; this target has ${limitBytes} for models`,
      );
    await makeRoom(cost);
    try {
      entries.set(file.sha256, { session: await load(), cost, users: 0 });
      failures.delete(file.sha256);
    } catch (thrown) {
      taken -= cost;
      changed.notify();
      throw thrown;
    }
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
