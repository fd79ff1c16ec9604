/**
 * Keeps the request that started it alive until the work is done: `ctx.waitUntil` in a Worker, nothing in Node.
 * Whatever more than one request may wait for must be given to it, or it dies with the request that began it.
 */
export type Defer = (work: Promise<unknown>) => void;

/** One promise per key at a time, shared by all who ask meanwhile. */
export interface SingleFlight<T> {
  /** @param defer of the request that asks: each of them keeps the work alive */
  run(key: string, work: () => Promise<T>, defer: Defer): Promise<T>;
}

/**
 * @param clock milliseconds
 * @param deadAfterMs work older than this is taken for dead and started anew
 */
export function singleFlight<T>(clock: () => number, deadAfterMs: number): SingleFlight<T> {
  const flights = new Map<string, { readonly startedAt: number; readonly promise: Promise<T> }>();
  return {
    run(key, work, defer) {
      const flying = flights.get(key);
      if (flying !== undefined && clock() - flying.startedAt < deadAfterMs) {
        defer(flying.promise.catch(() => undefined));
        return flying.promise;
      }
      const promise = work().finally(() => {
        if (flights.get(key)?.promise === promise) flights.delete(key);
      });
      flights.set(key, { startedAt: clock(), promise });
      defer(promise.catch(() => undefined));
      return promise;
    },
  };
}
