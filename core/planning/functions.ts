/**
 * A fleet of functions and its queue in virtual time: messages wait for a function, functions are cold or warm and keep
 * what they read, and everything they ask for is counted. What a task does is a generator that yields the seconds each of
 * its parts takes; what it does to the job happens between two of them.
 */
import type { Usage } from '../contracts/usage.ts';
import { addUsage, NO_USAGE } from '../costs/usage.ts';
import { DELIVERY_REQUESTS, MESSAGES_AT_ONCE } from '../queue/task-queue.ts';
import type { Random } from '../random.ts';
import { draw } from '../simulation/distribution.ts';
import type { Timeline } from '../simulation/events.ts';
import { createLanes } from '../simulation/lanes.ts';
import type { Platform, Transfer } from './platform.ts';

/** What a warm function holds. */
export interface Memory {
  /** Names of documents and graphs. */
  readonly documents: Set<string>;
  /** Names of states and models, the one used last at the end. */
  readonly states: string[];
  /** Files of the data set, and their bytes. */
  readonly files: Map<number, number>;
  /** Updates that it wrote, by round and shard, and their bytes. */
  readonly updates: Map<string, number>;
}

const emptyMemory = (): Memory => ({
  documents: new Set(),
  states: [],
  files: new Map(),
  updates: new Map(),
});

export interface Execution {
  readonly memory: Memory;
  /** The queue handed the message out before. */
  readonly redelivered: boolean;
  readonly startedAt: number;
  /** Seconds of requests that wait for one another within a chain, chains beside each other; bytes are of all of them. */
  ask(chains: readonly Request[][], bytes?: Partial<Transfer>): number;
  compute(seconds: number): number;
  /** Messages are there when the seconds have passed. */
  send(messages: number): number;
  /** What it took until now. */
  usage(): Usage;
  /** True for one that dies here. */
  dies(): boolean;
}

/** So many at once. */
export interface Request {
  readonly reads?: number;
  readonly writes?: number;
}

export type Work = Generator<number, 'died' | void, void>;

export interface Functions<Task> {
  /** @param delay seconds beside the queue's own */
  enqueue(task: Task, delay?: number): void;
  /** Of executions that have ended, and those that run. With what cold starts are billed. */
  usage(): Usage;
  readonly counts: { readonly executions: number; readonly coldStarts: number };
  now(): number;
}

export function createFunctions<Task>(
  platform: Platform,
  timeline: Timeline,
  random: Random,
  work: (task: Task, execution: Execution) => Work,
): Functions<Task> {
  const lanes = createLanes(platform.concurrency, platform.keptWarm * 1000);
  const memories = new Map<number, Memory>();
  const waiting: { readonly task: Task; readonly redelivered: boolean }[] = [];
  const running = new Set<Execution>();
  const counts = { executions: 0, coldStarts: 0 };
  let spent = NO_USAGE;
  let limit = Math.min(platform.ramp.initial, platform.concurrency);
  let growing = false;
  const now = () => timeline.now() / 1000;
  const after = (seconds: number, happen: () => void) =>
    timeline.schedule(timeline.now() + seconds * 1000, happen);

  function arrive(task: Task, redelivered: boolean): void {
    waiting.push({ task, redelivered });
    dispatch();
  }

  function dispatch(): void {
    while (waiting.length > 0 && running.size < limit) start(waiting.shift()!);
    if (waiting.length === 0 || growing || limit >= platform.concurrency) return;
    growing = true;
    after(1 / platform.ramp.perSecond, () => {
      growing = false;
      if (waiting.length > 0) limit += 1;
      dispatch();
    });
  }

  function start({ task, redelivered }: { readonly task: Task; readonly redelivered: boolean }): void {
    const lane = lanes.take();
    const isWarm = lanes.isWarm(lane, timeline.now());
    const coldStart = isWarm ? 0 : draw(platform.coldStart, random);
    if (!isWarm) memories.set(lane, emptyMemory());
    counts.executions += 1;
    if (!isWarm) counts.coldStarts += 1;
    const asked = { queueRequests: DELIVERY_REQUESTS, writes: 0, reads: 0 };
    let startedAt = 0;
    const usage = (): Usage => {
      const functionSeconds = now() - startedAt;
      return { functionSeconds, gbSeconds: functionSeconds * platform.memoryGb, invocations: 1, ...asked };
    };
    const slowness = draw(platform.slowness, random) / platform.speed;
    const mayDie = random.uniform() < platform.deaths;
    const execution: Execution = {
      memory: memories.get(lane)!,
      redelivered,
      get startedAt() {
        return startedAt;
      },
      ask(chains, { read = 0, written = 0 } = {}) {
        let longest = 0;
        for (const chain of chains) {
          let seconds = 0;
          for (const { reads = 0, writes = 0 } of chain) {
            asked.reads += reads;
            asked.writes += writes;
            seconds += atOnce(reads, platform.read) + atOnce(writes, platform.write);
          }
          longest = Math.max(longest, seconds);
        }
        const { bytesPerSecond } = platform;
        return longest + read / bytesPerSecond.read + written / bytesPerSecond.written;
      },
      compute: (seconds) => seconds * slowness,
      send(messages) {
        const requests = Math.ceil(messages / MESSAGES_AT_ONCE);
        asked.queueRequests += requests;
        const first = draw(platform.send, random);
        return requests > 1 ? first + atOnce(requests - 1, platform.send) : first;
      },
      usage,
      dies: () => mayDie,
    };
    running.add(execution);
    after(coldStart, () => {
      startedAt = now();
      go(
        work(task, execution),
        execution,
        lane,
        () => {
          spent = addUsage(spent, {
            ...NO_USAGE,
            functionSeconds: coldStart,
            gbSeconds: coldStart * platform.memoryGb,
          });
        },
        task,
      );
    });
  }

  function go(steps: Work, execution: Execution, lane: number, billColdStart: () => void, task: Task): void {
    const next = steps.next();
    if (next.done !== true) {
      after(next.value, () => go(steps, execution, lane, billColdStart, task));
      return;
    }
    billColdStart();
    running.delete(execution);
    spent = addUsage(spent, execution.usage());
    lanes.release(lane, timeline.now());
    if (next.value === 'died') {
      // What takes its place is another one, which has read nothing.
      memories.set(lane, emptyMemory());
      after(platform.visibility, () => arrive(task, true));
    }
    dispatch();
  }

  /** The slowest of so many, over no more connections than there are. */
  function atOnce(count: number, latency: Platform['read']): number {
    let seconds = 0;
    for (let left = count; left > 0; left -= platform.connections) {
      let slowest = 0;
      for (let i = Math.min(left, platform.connections); i > 0; i--)
        slowest = Math.max(slowest, draw(latency, random));
      seconds += slowest;
    }
    return seconds;
  }

  return {
    enqueue: (task, delay = 0) => after(delay + draw(platform.hop, random), () => arrive(task, false)),
    usage: () => [...running].reduce((sum, execution) => addUsage(sum, execution.usage()), spent),
    counts,
    now,
  };
}
