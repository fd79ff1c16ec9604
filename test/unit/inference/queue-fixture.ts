/** A queue over a fake session that multiplies by two, with timers that go off when told. */
import { type Arrival, createArrivals } from '../../../core/inference/arrivals.ts';
import { rowsOf, type Values } from '../../../core/inference/batch.ts';
import type { BatchLimits } from '../../../core/inference/config.ts';
import type { ModelSession } from '../../../core/inference/runtime.ts';
import { createRunQueue, type RunResult } from '../../../core/inference/run-queue.ts';
import { serialized } from '../../../core/inference/serialized.ts';
import type { TensorValue } from '../../../core/tensors/tensor.ts';

export const LIMITS: BatchLimits = { maxRows: 8, maxBytes: 1024, maxDelayMs: 2 };

/** Lets everything that can go on without us go on. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** @param width elements of a row */
export const rows = (data: readonly number[], width = 1): Values => ({
  x: { dtype: 'F32', shape: [data.length / width, width], data: Float32Array.from(data) },
});

export const dataOf = ({ values }: RunResult) => [...(values['y']!.data as Float32Array)];

export interface QueueOptions {
  readonly limits?: BatchLimits | undefined;
  /** Outputs of a run; default: its input times two. @throws as a session would */
  readonly compute?: (x: TensorValue) => TensorValue;
  /** Awaited in each run. */
  readonly pause?: (rows: number) => Promise<void>;
  /** Whether the session was tried in company already, as it is before anything is batched; default true. */
  readonly trusted?: boolean;
}

export async function createQueue({
  limits = LIMITS,
  compute = double,
  pause,
  trusted = true,
}: QueueOptions = {}) {
  const time = { now: 0 };
  const timers = new Set<{ readonly at: number; readonly wake: () => void }>();
  /** Rows of each run. */
  const runs: number[] = [];
  const deferred: Promise<unknown>[] = [];
  const session: ModelSession = {
    inputs: [],
    outputs: [],
    async run(inputs) {
      runs.push(rowsOf(inputs));
      await pause?.(rowsOf(inputs));
      return { y: compute(inputs['x']!) };
    },
    release: () => Promise.resolve(),
  };
  const runtime = serialized({ name: 'fake', load: () => Promise.resolve(session) });
  const queue = createRunQueue(await runtime.load(new Uint8Array()), {
    limits,
    clock: () => time.now,
    after(ms, wake) {
      const timer = { at: time.now + ms, wake };
      timers.add(timer);
      return () => timers.delete(timer);
    },
  });
  const begin = createArrivals();

  const run = (
    inputs: Values,
    arrival: Arrival = begin('m', time.now),
    deadlineAt = Infinity,
    outputs = ['y'],
    part = false,
  ) => {
    const work = queue.run(
      { inputs, outputs, deadlineAt, part },
      arrival,
      (kept) => void deferred.push(kept),
    );
    const ended = () => arrival.over();
    work.then(ended, ended);
    return work;
  };

  /** Moves time, and whatever it wakes. */
  const advance = async (ms: number) => {
    time.now += ms;
    for (const timer of timers) if (timer.at <= time.now && timers.delete(timer)) timer.wake();
    await turn();
  };

  const made = {
    runs,
    deferred,
    timers,
    runtime,
    begin: (model = 'm') => begin(model, time.now),
    run,
    advance,
  };
  if (!trusted) return made;
  await Promise.all([begin('trial', 0), begin('trial', 0)].map((arrival) => run(rows([3]), arrival)));
  runs.length = 0;
  deferred.length = 0;
  return made;
}

function double({ dtype, shape, data }: TensorValue): TensorValue {
  return { dtype, shape, data: (data as Float32Array).map((element) => element * 2) };
}
