/** Following a job over connections that are lost. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Fault } from '../../../core/errors.ts';
import { createClient } from '../../../infra/cli/client.ts';
import { eventStreams, PATIENCE_MS } from '../../../infra/cli/event-streams.ts';

const text = (data: string) => new TextEncoder().encode(`event: progress\ndata: ${data}\n\n`);

/** @param broken after its events */
function response(events: readonly string[], broken = false): Response {
  const left = [...events];
  return new Response(
    new ReadableStream({
      pull(controller) {
        const data = left.shift();
        if (data !== undefined) controller.enqueue(text(data));
        else if (broken) controller.error(new TypeError('terminated'));
        else controller.close();
      },
    }),
  );
}

/** Streams in turn, the last one again and again; reads `count` events. */
async function read(streams: readonly (() => Response)[], count: number) {
  const waits: number[] = [];
  let clock = 0;
  let opened = 0;
  const open = async () => streams[Math.min(opened++, streams.length - 1)]!();
  const wait = async (ms: number) => {
    waits.push(ms);
    clock += ms;
  };
  const told: string[] = [];
  const reading = (async () => {
    for await (const { data } of eventStreams(open, { wait, now: () => clock }))
      if (told.push(data) === count) return;
  })();
  const thrown = await reading.then(
    () => undefined,
    (fault: unknown) => fault,
  );
  return { told, waits, opened, thrown, clock };
}

const refusing = (fault: Fault) => () => {
  throw fault;
};

describe('streams of events', () => {
  it('go on where one breaks off, ends, or is refused for the moment', async () => {
    const { told, thrown, waits } = await read(
      [
        () => response(['1', '2'], true),
        refusing(new Fault('unavailable', 'away')),
        () => response(['3']),
        () => response(['4']),
      ],
      4,
    );
    expect(thrown).toBeUndefined();
    expect(told).toEqual(['1', '2', '3', '4']);
    expect(waits).toEqual([250, 250, 250]);
  });

  it.each([
    ['end at once', () => response([])],
    ['break off at once', () => response([], true)],
    ['are refused', refusing(new Fault('bad_gateway', 'away'))],
  ])('that %s are asked for less and less, and given up after a while', async (_, stream) => {
    const { opened, waits, thrown, clock } = await read([stream], 1);
    expect(thrown).toMatchObject({ name: 'Fault', retryable: true });
    expect(waits.slice(0, 7)).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000]);
    expect(opened).toBeLessThan(25);
    expect(clock).toBeGreaterThanOrEqual(PATIENCE_MS);
  });

  it('are given up at once where asking again cannot help', async () => {
    const { opened, thrown } = await read([refusing(new Fault('not_found', 'no job'))], 1);
    expect(thrown).toMatchObject({ code: 'not_found' });
    expect(opened).toBe(1);
  });
});

describe('following a job', () => {
  afterEach(() => vi.unstubAllGlobals());
  const job = 'job_00000001';
  const at = (result: object | null) =>
    JSON.stringify({
      job,
      kind: 'batch',
      model: 'm',
      status: result === null ? 'running' : 'cancelled',
      acceptedAt: '2026-01-02T03:04:05.000Z',
      parts: 1,
      partsDone: 0,
      rows: 1,
      rowsDone: 0,
      rowsPerSecond: 0,
      seconds: 0,
      secondsLeft: null,
      result,
    });
  const result = { v: 1, job, status: 'cancelled', endedAt: '2026-01-02T03:04:05.000Z' };

  it('goes on over a stream that breaks off, to its result', async () => {
    const streams = [response([at(null)], true), response([at(null), at(result)])];
    vi.stubGlobal('fetch', async () => streams.shift());
    const seen: string[] = [];
    const client = createClient('http://router.test');
    expect(await client.any.follow(job, ({ status }) => void seen.push(status))).toEqual(result);
    expect(seen).toEqual(['running', 'running', 'cancelled']);
  });

  it('ends with what its reader throws, and when it is interrupted', async () => {
    vi.stubGlobal('fetch', async () => response([at(null)], true));
    const stopping = new AbortController();
    const { any } = createClient('http://router.test', undefined, stopping.signal);
    const enough = any.follow(job, () => {
      throw new Error('enough');
    });
    await expect(enough).rejects.toThrow('enough');
    await expect(any.follow(job, () => stopping.abort())).rejects.toThrow();
  });
});
