/** A condition variable: everybody who waits wakes up and looks again. */
export interface Signal {
  wait(): Promise<void>;
  notify(): void;
}

export function createSignal(): Signal {
  let waiting = Promise.withResolvers<void>();
  let waiters = 0;
  return {
    wait() {
      waiters += 1;
      return waiting.promise;
    },
    notify() {
      if (waiters === 0) return;
      const { resolve } = waiting;
      waiters = 0;
      waiting = Promise.withResolvers<void>();
      resolve();
    },
  };
}
