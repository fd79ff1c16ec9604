/**
 * Who may run now. Warm environments first, the one used last before the others; then new ones up to the size; then,
 * where an environment may take several, the one with the fewest; then a bounded queue. An environment counts until its
 * thread is gone, so there are never more than the size.
 */
import type { Environment, Started } from './environment.ts';
import type { FunctionError } from './invocation.ts';

export type Admission =
  | {
      readonly kind: 'environment';
      readonly environment: Environment;
      /** Must be called when the invocation is over, however it ended. */
      readonly release: () => void;
    }
  /** A new environment could not load the handler. */
  | { readonly kind: 'failed'; readonly error: FunctionError }
  /** The pool, and the queue before it, are full, or it is stopping. */
  | { readonly kind: 'full' };

export interface PoolOptions {
  readonly start: () => Promise<Started>;
  /** Environments at most. */
  readonly size: number;
  /** Invocations at once in one of them. */
  readonly perEnvironment: number;
  readonly queueLimit: number;
  /** Milliseconds. */
  readonly queueWaitMs: number;
}

export interface Pool {
  /** @param queue whether to wait where none is free */
  acquire(queue: boolean): Promise<Admission>;
  /** Starts environments until `count` are there. @returns why one did not start */
  warm(count: number): Promise<FunctionError | undefined>;
  /** Invocations that could begin now. */
  free(): number;
  /** Never resolves once the pool is stopping. */
  whenFree(): Promise<void>;
  size(): number;
  busy(): number;
  stop(drainMs: number): Promise<void>;
}

const STOPPED: FunctionError = {
  errorType: 'Runtime.ExitError',
  errorMessage: 'the function is being stopped',
};

export function createPool(options: PoolOptions): Pool {
  const { start, size, perEnvironment, queueLimit, queueWaitMs } = options;
  /** Slots taken: by environments that start, run, idle or die. */
  let slots = 0;
  /** Those that are there, and their invocations. A dying one keeps what it died with. */
  const living = new Map<Environment, number>();
  /** Those that may take another one, the one used last at the end. */
  const ready: Environment[] = [];
  const waiting: { admit(admission: Admission | 'start'): void }[] = [];
  let watchers: (() => void)[] = [];
  let stopping = false;
  /** Set once the time to drain is over: what still starts has come too late. */
  let closing = false;
  /** Set by stop: called when nothing runs any more, and when nothing is there any more. */
  let drained: (() => void) | undefined;
  let emptied: (() => void) | undefined;

  const runsIn = (environment: Environment) => living.get(environment) ?? 0;
  const idle = () => ready.filter((environment) => runsIn(environment) === 0).length;
  const free = () => {
    if (stopping) return 0;
    const left = ready.map((each) => (each.usable() ? perEnvironment - runsIn(each) : 0));
    return left.reduce((sum, n) => sum + n, 0) + (size - slots) * perEnvironment;
  };

  function changed(): void {
    if (slots === idle()) drained?.();
    if (slots === 0) emptied?.();
    if (free() === 0) return;
    const woken = watchers;
    watchers = [];
    for (const wake of woken) wake();
  }

  function leaveReady(environment: Environment): void {
    const at = ready.indexOf(environment);
    if (at >= 0) ready.splice(at, 1);
  }

  function admit(environment: Environment): Admission {
    const running = runsIn(environment) + 1;
    living.set(environment, running);
    leaveReady(environment);
    if (running < perEnvironment) ready.push(environment);
    return { kind: 'environment', environment, release: () => release(environment) };
  }

  function release(environment: Environment): void {
    // The slot of one that dies comes back when it is gone.
    if (!environment.usable()) return;
    living.set(environment, runsIn(environment) - 1);
    const next = waiting.shift();
    if (next !== undefined) return next.admit(admit(environment));
    leaveReady(environment);
    ready.push(environment);
    changed();
  }

  /** Of those that may take another one: the one used last of those with the fewest. */
  function leastUsed(): Environment | undefined {
    const usable = ready.filter((each) => each.usable());
    const fewest = Math.min(...usable.map(runsIn));
    return usable.findLast((each) => runsIn(each) === fewest);
  }

  function giveUpSlot(): void {
    slots -= 1;
    const next = waiting.shift();
    if (next !== undefined) next.admit('start');
    else changed();
  }

  async function startOne(): Promise<Admission> {
    slots += 1;
    const started = await start();
    if (started.kind === 'failed') {
      giveUpSlot();
      return started;
    }
    const { environment } = started;
    living.set(environment, 0);
    void environment.gone.then(() => {
      living.delete(environment);
      leaveReady(environment);
      giveUpSlot();
    });
    if (closing) environment.kill(STOPPED);
    const admission = admit(environment);
    while (waiting.length > 0 && runsIn(environment) < perEnvironment && environment.usable())
      waiting.shift()?.admit(admit(environment));
    return admission;
  }

  function waitInLine(): Promise<Admission> {
    return new Promise((resolve) => {
      const place = {
        admit(admission: Admission | 'start') {
          clearTimeout(timer);
          resolve(admission === 'start' ? startOne() : admission);
        },
      };
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(place), 1);
        resolve({ kind: 'full' });
      }, queueWaitMs);
      waiting.push(place);
    });
  }

  return {
    async acquire(queue) {
      if (stopping) return { kind: 'full' };
      const environment = leastUsed();
      const isIdle = environment !== undefined && runsIn(environment) === 0;
      if (!isIdle && slots < size) return startOne();
      if (environment !== undefined) return admit(environment);
      return queue && waiting.length < queueLimit ? waitInLine() : { kind: 'full' };
    },
    async warm(count) {
      const missing = Math.max(0, count - slots);
      const started = await Promise.all(Array.from({ length: missing }, startOne));
      for (const admission of started) if (admission.kind === 'environment') admission.release();
      return started.find((admission) => admission.kind === 'failed')?.error;
    },
    free,
    whenFree: () =>
      free() > 0
        ? Promise.resolve()
        : new Promise((resolve) => {
            watchers.push(resolve);
          }),
    size: () => slots,
    busy: () => slots - idle(),
    async stop(drainMs) {
      stopping = true;
      for (const place of waiting.splice(0)) place.admit({ kind: 'full' });
      if (slots > idle()) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, drainMs);
          drained = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      closing = true;
      for (const environment of living.keys()) environment.kill(STOPPED);
      if (slots > 0) {
        await new Promise<void>((resolve) => {
          emptied = resolve;
        });
      }
    },
  };
}
