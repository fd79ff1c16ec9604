/** Runs a job's messages in virtual time: each when it is due, one after the other. */
import type { MessageDelivery } from '../../../cloud/training/dispatch.ts';
import { dispatch } from '../../../cloud/training/dispatch.ts';
import type { FleetContext } from '../../../cloud/training/context.ts';
import { JobPlan, JobResult, RoundCommit, type TrainRequest } from '../../../core/contracts/job.ts';
import { jobPlanKey, jobResultKey, roundCommitKey } from '../../../core/contracts/keys.ts';
import type { Task } from '../../../core/contracts/task.ts';
import type { SendOptions } from '../../../core/queue/task-queue.ts';
import { readControl } from '../../../core/jobs/control.ts';
import { getJson } from '../../../core/storage/json.ts';
import type { ObjectStore } from '../../../core/storage/object-store.ts';
import { memoryStore } from '../memory-store.ts';
import { accept, coldCaches, fleetContext, JOB, prepare, standInProgram, START } from './world.ts';

interface Due {
  readonly at: number;
  readonly task: Task;
  readonly receives: number;
  readonly traceparent: string | undefined;
}

interface Handled {
  readonly task: Task;
  /** Seconds since the start. */
  readonly at: number;
  readonly receives: number;
}

export interface ClockworkOptions {
  readonly spec?: Partial<TrainRequest>;
  /** Of another kind of job, in place of a training. @returns its spec */
  readonly prepare?: (store: ObjectStore) => Promise<unknown>;
  /** Of whoever starts the job. */
  readonly traceparent?: string;
  readonly broken?: number;
  readonly context?: Partial<FleetContext>;
  /** Milliseconds a task takes; default 100. */
  readonly takesMs?: (task: Task) => number;
  /** How often a message that was sent once is in the queue; default once. */
  readonly times?: (task: Task) => number;
  /** True: the function dies before it did anything. */
  readonly dies?: (task: Task) => boolean;
  readonly delivery?: (task: Task, now: () => number) => Partial<MessageDelivery>;
}

/** Shards have no time for the merge of the round that they complete, and announce it. */
export const MERGED_BY_MESSAGE: ClockworkOptions = { delivery: () => ({ remainingMs: () => 30_000 }) };

/** What is no JSON is kept as it is. */
function toldIn(body: string): Task {
  try {
    return JSON.parse(body) as Task;
  } catch {
    return body as unknown as Task;
  }
}

const MAX_RECEIVES = 5;
const VISIBILITY_MS = 30_000;

export async function clockwork(options: ClockworkOptions = {}) {
  let now = START;
  const store = memoryStore(() => now);
  const due: Due[] = [];
  const handled: Handled[] = [];
  const dead: { readonly task: Task; readonly reason?: string; readonly traceparent?: string | undefined }[] =
    [];
  const queue = {
    send(tasks: readonly Task[], { delaySeconds = 0, traceparent }: SendOptions = {}) {
      for (const task of tasks) {
        const delay = typeof delaySeconds === 'function' ? delaySeconds(task) : delaySeconds;
        for (let n = options.times?.(task) ?? 1; n > 0; n--)
          due.push({ at: now + delay * 1000, task, receives: 1, traceparent });
      }
      return Promise.resolve();
    },
  };
  const spec = await (options.prepare ?? ((store) => prepare(store, options.spec)))(store);
  await accept(store, queue, spec, options.traceparent);
  let observer: (operation: string, key: string) => void | Promise<void> = () => undefined;
  let program: ReturnType<typeof standInProgram> | undefined;
  let base = fleetContext({
    store,
    queue,
    now: () => new Date(now),
    deadLetters: {
      bury: (body, reason, traceparent) => {
        dead.push({ task: toldIn(body), reason, traceparent });
        return Promise.resolve();
      },
    },
    ...options.context,
  });
  const context = () => (program === undefined ? base : fleetContext(base, program));

  async function handle({ task, receives, traceparent }: Due): Promise<void> {
    const again = () => {
      if (receives < MAX_RECEIVES)
        due.push({ at: now + VISIBILITY_MS, task, receives: receives + 1, traceparent });
      else dead.push({ task, traceparent });
    };
    handled.push({ task, at: (now - START) / 1000, receives });
    if (options.dies?.(task) === true) return again();
    if (program === undefined && options.prepare === undefined) {
      const plan = await getJson(store, jobPlanKey(JOB), JobPlan);
      if (plan !== undefined) program = standInProgram(plan.parameters, options.broken);
    }
    const began = now;
    const takes = options.takesMs?.(task) ?? 100;
    // The task's own time passes while it reads what it works on.
    store.before = (operation, key) => {
      const told = observer(operation, key);
      if (operation === 'get') now = began + takes;
      return told;
    };
    try {
      await dispatch(context(), typeof task === 'string' ? task : JSON.stringify(task), {
        messageId: 'm',
        attempt: receives,
        traceparent,
        redelivered: receives > 1,
        lastChance: receives >= MAX_RECEIVES,
        ...options.delivery?.(task, () => now),
      });
    } catch {
      again();
    } finally {
      store.before = () => undefined;
      now = began;
    }
  }

  return {
    store,
    queue,
    spec,
    handled,
    dead,
    due,
    now: () => now,
    /** Lets time pass in which nothing is due. */
    wait(seconds: number) {
      now += seconds * 1000;
    },
    /** Every function is started anew. */
    forget() {
      base = { ...base, caches: coldCaches() };
    },
    /** Is told of each request that a handler makes of the store, and may do something before it is answered. */
    observe(told: typeof observer) {
      observer = told;
    },
    /** Until nothing is due any more, or `until` says so. */
    async run(until: () => boolean | Promise<boolean> = () => false, atMost = 2_000): Promise<void> {
      for (let n = 0; due.length > 0 && !(await until()); n++) {
        if (n === atMost) throw new Error(`still busy after ${atMost} messages`);
        due.sort((a, b) => a.at - b.at);
        const next = due.shift()!;
        now = Math.max(now, next.at);
        await handle(next);
      }
    },
    async result(): Promise<JobResult | undefined> {
      const { run } = await readControl(store, JOB);
      return getJson(store, jobResultKey(JOB, run), JobResult);
    },
    commit: (round: number) => getJson(store, roundCommitKey(JOB, round), RoundCommit),
  };
}
