/**
 * A run blocks its thread, and in workerd the thread is everybody's: the router's, the inference Worker's, and that of
 * all connections. It looks for input only when no event waits, so of requests that came together every one would run
 * before the first answer left, and the answers of other targets would wait with them (seen: a request whose own
 * run took 1 ms answered after 80). So after some milliseconds of runs the next one waits for a timer, which goes off
 * when input was looked at. How long the runs took is known only then: a Worker's clock stands still while it computes.
 */
import type { After } from './run-queue.ts';

/** Milliseconds of runs without a breath. Each breath costs some timers, about as much as a small model's run. */
const BREATH_MS = 4;
/** A run counts for this at least: a clock of whole milliseconds may say that it took none. */
const LEAST_MS = BREATH_MS / 100;
/** Weight of the last stretch of runs against those before. */
const LAST = 0.5;
/** Milliseconds beyond two runs that pass between one run and the next where nobody waited for the thread. */
const IDLE_MS = 2;

/** Runs since the last breath. */
interface Stretch {
  /** On the clock, when the first began. */
  readonly at: number;
  runs: number;
}

export interface Breath {
  /** To be called when a run begins. */
  runs(): void;
  /** What to wait for before the next run, by a timer of the caller's own; undefined: nothing. */
  due(): Promise<void> | undefined;
}

/** @param clock milliseconds */
export function createBreath({
  clock,
  after,
}: {
  readonly clock: () => number;
  readonly after: After;
}): Breath {
  let stretch: Stretch = { at: -Infinity, runs: 0 };
  let lastAt = -Infinity;
  /** Milliseconds that a run takes, with all that happens around it; much, until it is known. */
  let perRun = BREATH_MS;

  const isDue = () => stretch.runs * perRun >= BREATH_MS;

  function take(then: () => void): void {
    const whole = stretch;
    after(0, () => {
      // Others may have taken the breath, and have run since.
      if (whole === stretch) {
        const ms = Math.max(LEAST_MS, (clock() - whole.at) / whole.runs);
        perRun += LAST * (ms - perRun);
        stretch = { at: -Infinity, runs: 0 };
      }
      then();
    });
  }

  return {
    runs() {
      const now = clock();
      if (stretch.runs === 0 || now - lastAt > 2 * perRun + IDLE_MS) stretch = { at: now, runs: 0 };
      lastAt = now;
      stretch.runs += 1;
      // So that nobody who comes later has to.
      if (isDue()) take(() => undefined);
    },
    due() {
      if (!isDue()) return undefined;
      const { promise, resolve } = Promise.withResolvers<void>();
      take(resolve);
      return promise;
    },
  };
}
