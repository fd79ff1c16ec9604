/**
 * Runs of one session, in order of arrival; requests that wait together run as one batch.
 *
 * There is no leader whose end would be everybody's: in a Worker a waiting request can be cancelled, which stops it
 * without a word. Each request waits by its own promise and its own timer, and whichever is awake and finds the runtime
 * free takes what waits and runs it. What is taken is run in the same breath, never across a wait for the runtime.
 */
import { Fault } from '../errors.ts';
import type { Arrival } from './arrivals.ts';
import type { Defer } from './background.ts';
import { bytesOf, concatenate, fitTogether, rowsOf, split, type Values, type Work } from './batch.ts';
import type { BatchLimits } from './config.ts';
import { accompanied, undisturbed } from './independence.ts';
import type { ModelSession } from './runtime.ts';

/** Calls back after that many milliseconds. @returns what takes that back */
export type After = (ms: number, wake: () => void) => () => void;

export interface RunRequest extends Work {
  /** On the clock, milliseconds: not computed if nobody got to it before. Infinity where it has none. */
  readonly deadlineAt: number;
  /** Not computed once it is aborted. */
  readonly signal?: { readonly aborted: boolean } | undefined;
  /** Only some rows of a client's: `independent` must be known, and is found out where it is not. */
  readonly part?: boolean;
}

export interface RunResult {
  readonly values: Values;
  /** In the run that computed them. */
  readonly rows: number;
  /** Whether rows of the model are known not to change each other. */
  readonly independent: boolean;
}

export interface RunQueue {
  /**
   * @param arrival of this request
   * @throws Fault `deadline_exceeded` where the deadline passed while it waited, `unavailable` where it was aborted;
   *   what the session throws about this request, whoever else was in its batch
   */
  run(request: RunRequest, arrival: Arrival, defer: Defer): Promise<RunResult>;
  /** Frees the session, which nobody may use any more. */
  release(): Promise<void>;
}

export interface RunQueueOptions {
  /** Undefined: each request runs alone. */
  readonly limits: BatchLimits | undefined;
  /** Milliseconds. */
  readonly clock: () => number;
  readonly after: After;
}

interface Entry extends RunRequest {
  readonly rows: number;
  readonly bytes: number;
  /** It has waited for company once, and does not again. */
  waited: boolean;
  /** Its batch failed: it runs by itself, so that it fails for its own faults only. */
  alone: boolean;
  result: Omit<RunResult, 'independent'> | undefined;
  failure: { readonly thrown: unknown } | undefined;
  wake: () => void;
}

const nothing = () => {};

/** Milliseconds after which a request that waits behind a run looks whether somebody forgot it. */
const IDLE_MS = 1_000;

export function createRunQueue(session: ModelSession, options: RunQueueOptions): RunQueue {
  const { limits, clock, after } = options;
  let entries: Entry[] = [];
  let running = false;
  /** Undefined until there was something to batch; see independence.ts. */
  let independent: boolean | undefined = limits === undefined ? false : undefined;
  /** A request and its own answer, to be run again in company. */
  let trial: { readonly inputs: Values; readonly answer: Values } | undefined;

  /**
   * Waits for what another request may bring about. In a Worker a request that waits so is kept alive by `defer`, as it
   * is counted in flight and must be counted out again; and by a timer that is set at any moment until it goes on:
   * workerd takes a request with nothing of its own pending for hung, and ends it, even if it was woken already.
   */
  async function wait(woken: Promise<void>, defer: Defer, everyMs = IDLE_MS, ring = nothing): Promise<void> {
    let stop: () => void;
    const again = () => {
      stop = after(everyMs, again);
      ring();
    };
    stop = after(everyMs, again);
    defer(woken);
    await woken;
    stop();
  }

  function untilWoken(entry: Entry): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    entry.wake = resolve;
    return promise;
  }

  async function waitForCompany(entry: Entry, arrival: Arrival, defer: Defer): Promise<void> {
    entry.waited = true;
    const woken = untilWoken(entry);
    const leave = arrival.onAlone(entry.wake);
    const inVain = arrival.patience();
    await wait(woken, defer, limits?.maxDelayMs, () => {
      if (entries.includes(entry)) inVain();
      entry.wake();
    });
    leave();
  }

  const waitsForCompany = (entry: Entry, arrival: Arrival): boolean =>
    limits !== undefined &&
    limits.maxDelayMs > 0 &&
    independent !== false &&
    !entry.waited &&
    entry.result === undefined &&
    !arrival.alone() &&
    entries.reduce((rows, { rows: more }) => rows + more, 0) < limits.maxRows;

  /** Removes and returns what runs next, the oldest and what fits with it; nothing where all were too late. */
  function take(): readonly Entry[] {
    const now = entries.some(({ deadlineAt }) => deadlineAt < Infinity) ? clock() : 0;
    const taken: Entry[] = [];
    const left: Entry[] = [];
    let [rows, bytes] = [0, 0];
    for (const entry of entries) {
      const [first] = taken;
      if (entry.signal?.aborted === true) settle(entry, { thrown: unwanted() });
      else if (entry.deadlineAt <= now) settle(entry, { thrown: tooLate() });
      else if (first === undefined || joins(first, entry, rows, bytes)) {
        taken.push(entry);
        rows += entry.rows;
        bytes += entry.bytes;
      } else left.push(entry);
    }
    entries = left;
    return taken;
  }

  function joins(first: Entry, entry: Entry, rows: number, bytes: number): boolean {
    // Until the trial, one at a time.
    if (limits === undefined || independent !== true || first.alone || entry.alone) return false;
    const { maxRows, maxBytes } = limits;
    return rows + entry.rows <= maxRows && bytes + entry.bytes <= maxBytes && fitTogether(first, entry);
  }

  const smallEnough = ({ rows, bytes }: Entry) =>
    limits !== undefined && 2 * rows <= limits.maxRows && 2 * bytes <= limits.maxBytes;

  function settle(entry: Entry, outcome: NonNullable<Entry['result' | 'failure']>): void {
    if ('thrown' in outcome) entry.failure = outcome;
    else entry.result = outcome;
    entry.wake();
  }

  /** Exactly one run of the session, which begins before this function first waits. */
  async function step(): Promise<void> {
    running = true;
    try {
      if (trial !== undefined) await tryInCompany(trial);
      else {
        const taken = take();
        if (taken.length === 1) await runAlone(taken[0]!);
        else if (taken.length > 1) await runTogether(taken);
      }
    } finally {
      running = false;
      // It takes the others along, or wakes the next. Where it was cancelled, they wake by themselves.
      entries[0]?.wake();
    }
  }

  async function runAlone(entry: Entry): Promise<void> {
    const { inputs, outputs, rows } = entry;
    const tried = independent === undefined && entries.length > 0 && smallEnough(entry);
    try {
      const values = await session.run(inputs, outputs);
      settle(entry, { values, rows });
      if (tried) trial = { inputs, answer: values };
    } catch (thrown) {
      settle(entry, { thrown });
    }
  }

  async function runTogether(taken: readonly Entry[]): Promise<void> {
    const rows = taken.map((entry) => entry.rows);
    const total = rows.reduce((sum, each) => sum + each, 0);
    try {
      const inputs = concatenate(taken.map((entry) => entry.inputs));
      const parts = split(await session.run(inputs, taken[0]!.outputs), rows);
      for (const [index, entry] of taken.entries()) settle(entry, { values: parts[index]!, rows: total });
    } catch {
      for (const entry of taken) entry.alone = true;
      entries.unshift(...taken);
    }
  }

  async function tryInCompany({ inputs, answer }: NonNullable<typeof trial>): Promise<void> {
    trial = undefined;
    try {
      const together = await session.run(accompanied(inputs), Object.keys(answer));
      independent = undisturbed(inputs, answer, together);
    } catch {
      independent = false;
    }
  }

  return {
    async run(request, arrival, defer) {
      const { inputs, outputs, deadlineAt, signal, part = false } = request;
      const entry: Entry = {
        inputs,
        outputs,
        deadlineAt,
        signal,
        part,
        rows: rowsOf(inputs),
        bytes: bytesOf(inputs),
        waited: false,
        alone: false,
        result: undefined,
        failure: undefined,
        wake: nothing,
      };
      entries.push(entry);
      arrival.here();
      for (;;) {
        if (entry.failure !== undefined) throw entry.failure.thrown;
        if (entry.result !== undefined) {
          const { values, rows } = entry.result;
          if (!part || independent !== undefined) return { values, rows, independent: independent === true };
          trial ??= { inputs, answer: values };
        }
        const busy = running ? undefined : session.busy?.();
        if (running) await wait(untilWoken(entry), defer, IDLE_MS, () => entry.wake());
        else if (busy !== undefined) await wait(busy, defer);
        else if (waitsForCompany(entry, arrival)) await waitForCompany(entry, arrival, defer);
        else await step();
      }
    },
    release: () => session.release(),
  };
}

const tooLate = () =>
  new Fault('deadline_exceeded', 'the deadline passed while the request waited for the model');

const unwanted = () => new Fault('unavailable', 'the caller went away', { retryAfterS: 1 });
