import { describe, expect, it } from 'vitest';
import type { Environment } from '../../../infra/local/lambda/environment.ts';
import { type Admission, createPool, type PoolOptions } from '../../../infra/local/lambda/pool.ts';

interface Fake extends Environment {
  die(): void;
}

/** A pool whose environments are only names. */
function poolOf(options: Partial<PoolOptions>) {
  const started: Fake[] = [];
  const pool = createPool({
    size: 2,
    perEnvironment: 1,
    queueLimit: 10,
    queueWaitMs: 10_000,
    start() {
      let usable = true;
      const { promise: gone, resolve } = Promise.withResolvers<void>();
      const die = () => {
        usable = false;
        resolve();
      };
      const environment: Fake = {
        gone,
        die,
        kill: die,
        usable: () => usable,
        run: () => Promise.resolve({ kind: 'streamed' }),
      };
      started.push(environment);
      return Promise.resolve({ kind: 'ready', environment });
    },
    ...options,
  });
  return { pool, started };
}

function granted(admission: Admission) {
  if (admission.kind !== 'environment') throw new Error(`not admitted: ${admission.kind}`);
  return admission;
}

describe('the pool', () => {
  it('takes the environment used last', async () => {
    const { pool, started } = poolOf({});
    const [a, b] = [granted(await pool.acquire(true)), granted(await pool.acquire(true))];
    b.release();
    a.release();
    expect(granted(await pool.acquire(true)).environment).toBe(a.environment);
    expect(started).toHaveLength(2);
  });

  it('counts a slot as taken from the moment it is asked for', () => {
    const { pool } = poolOf({});
    void pool.acquire(true);
    expect(pool.free()).toBe(1);
    void pool.acquire(true);
    expect(pool.free()).toBe(0);
  });

  it('gives an environment as many as it may take: an idle one first, then a new one, then the one with fewest', async () => {
    const { pool, started } = poolOf({ perEnvironment: 3 });
    expect(pool.free()).toBe(6);
    const take = async () => granted(await pool.acquire(false));
    const taken = [];
    for (let i = 0; i < 6; i++) taken.push(await take());
    const [a, b] = started;
    expect(taken.map(({ environment }) => environment)).toEqual([a, b, b, a, a, b]);
    expect([pool.free(), pool.size(), pool.busy()]).toEqual([0, 2, 2]);
    expect(await pool.acquire(false)).toEqual({ kind: 'full' });
    for (const { environment, release } of taken) if (environment === a) release();
    expect([pool.free(), pool.busy()]).toEqual([3, 1]);
    expect((await take()).environment).toBe(a);
  });

  it('fills a new environment with what waits for it, and gives nothing to one that dies', async () => {
    const { pool, started } = poolOf({ size: 1, perEnvironment: 2 });
    const [one, two, three] = [1, 2, 3].map(() => pool.acquire(true));
    const first = granted(await one!);
    expect(granted(await two!).environment).toBe(first.environment);
    started[0]!.kill({ errorType: 'Sandbox.Timedout', errorMessage: 'too long' });
    first.release();
    const next = granted(await three!);
    expect(next.environment).toBe(started[1]);
    expect([pool.free(), pool.size()]).toEqual([1, 1]);
  });

  it('serves the queue in order, with what becomes free', async () => {
    const { pool } = poolOf({ size: 1 });
    const first = granted(await pool.acquire(true));
    const order: number[] = [];
    const waiting = [1, 2].map(async (n) => {
      const admission = granted(await pool.acquire(true));
      order.push(n);
      admission.release();
      return admission.environment;
    });
    first.release();
    expect(await Promise.all(waiting)).toEqual([first.environment, first.environment]);
    expect(order).toEqual([1, 2]);
  });

  it('gives the slot of a dead one to the queue only when it is gone', async () => {
    const { pool, started } = poolOf({ size: 1 });
    const { promise: gone, resolve: leave } = Promise.withResolvers<void>();
    const first = granted(await pool.acquire(true));
    const dying = started[0];
    if (dying === undefined) throw new Error('nothing was started');
    Object.assign(dying, { usable: () => false });
    const waiting = pool.acquire(true);
    first.release();
    await Promise.race([waiting, Promise.resolve()]);
    expect([started.length, pool.free()]).toEqual([1, 0]);
    void gone.then(() => dying.die());
    leave();
    expect(granted(await waiting).environment).not.toBe(first.environment);
    expect(pool.size()).toBe(1);
  });

  it('does not reuse an idle one that died', async () => {
    const { pool, started } = poolOf({});
    granted(await pool.acquire(true)).release();
    started[0]?.die();
    await started[0]?.gone;
    await Promise.resolve();
    expect([pool.size(), pool.free()]).toEqual([0, 2]);
  });

  it('reports an environment that did not start, and is free again', async () => {
    const error = { errorType: 'Runtime.ImportModuleError', errorMessage: 'no' };
    const { pool } = poolOf({ size: 1, start: () => Promise.resolve({ kind: 'failed', error }) });
    expect(await pool.acquire(true)).toEqual({ kind: 'failed', error });
    expect(await pool.warm(1)).toEqual(error);
    expect(pool.free()).toBe(1);
  });

  it('stopping: refuses who comes and who waits, and lets end what runs', async () => {
    const { pool } = poolOf({ size: 1 });
    const running = granted(await pool.acquire(true));
    const waiting = pool.acquire(true);
    const stopped = pool.stop(10_000);
    expect(await waiting).toEqual({ kind: 'full' });
    expect(await pool.acquire(true)).toEqual({ kind: 'full' });
    expect(running.environment.usable()).toBe(true);
    running.release();
    await stopped;
    expect(running.environment.usable()).toBe(false);
  });

  it('stopping: ends also what was still starting', async () => {
    const { promise: startNow, resolve: go } = Promise.withResolvers<void>();
    const inner = poolOf({ size: 1 });
    const { pool } = poolOf({
      size: 1,
      start: async () => {
        await startNow;
        const { environment } = granted(await inner.pool.acquire(true));
        return { kind: 'ready', environment };
      },
    });
    const late = pool.acquire(true);
    const stopped = pool.stop(0);
    setTimeout(go, 10);
    await stopped;
    expect(granted(await late).environment.usable()).toBe(false);
    expect(pool.size()).toBe(0);
  });
});
