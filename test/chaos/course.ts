/**
 * One job from its acceptance to an empty queue, in virtual time: the fleet's handlers that ship, real ONNX Runtime, the S3
 * adapter that ships, over a bucket, a queue and functions that fail as faults.ts says.
 */
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { recent, shardCache } from '../../cloud/training/caches.ts';
import type { FleetContext } from '../../cloud/training/context.ts';
import { dispatch, type MessageDelivery } from '../../cloud/training/dispatch.ts';
import type { TrainingProgram } from '../../cloud/training/engine/program.ts';
import type { Task } from '../../core/contracts/task.ts';
import { Fault } from '../../core/errors.ts';
import { sweepJobs } from '../../core/jobs/sweep.ts';
import { refreshing } from '../../core/storage/refresh.ts';
import type { TaskQueue } from '../../core/queue/task-queue.ts';
import type { MemoryStore } from '../unit/memory-store.ts';
import { DELIVERY, type Draw, faultOf, LATE, MEANWHILE, PEOPLE, SEND, SWEEP } from './faults.ts';
import { keyOf, type S3Answer, type S3Request, serveS3, storeOver } from './s3-service.ts';

const MAX_RECEIVES = 5;
const VISIBILITY_MS = 30_000;
/** Functions at work at the same time. */
const FLEET = 3;
/** Virtual milliseconds that a request takes where nothing is wrong. */
const REQUEST_MS = 8;
/** A job that needs more never ends. */
const MOST_DELIVERIES = 5_000;
const MOST_SWEEPS = 2_000;
const HOUR_MS = 3_600_000;

interface Message {
  readonly task: Task;
  /** Unix time in milliseconds from which on it is handed out. */
  dueAt: number;
  receives: number;
}

/** A request that is never answered: whoever sent it is dead. */
const NEVER = new Promise<never>(() => undefined);

/** What happened. */
export interface Tally {
  deliveries: number;
  killed: number;
  duplicates: number;
  /** Executions that began while another one was at work. */
  atOnce: number;
  /** Messages that the queue set aside after the fifth delivery. */
  setAside: number;
  /** How often the sweep announced the job again. */
  revived: number;
  readonly faults: Map<string, number>;
}

export const emptyTally = (): Tally => ({
  deliveries: 0,
  killed: 0,
  duplicates: 0,
  atOnce: 0,
  setAside: 0,
  revived: 0,
  faults: new Map(),
});

export interface CourseOptions {
  readonly objects: MemoryStore;
  readonly clock: { now: number };
  /** Undefined: nothing goes wrong. */
  readonly draw?: Draw;
  readonly tally: Tally;
  readonly hasEnded: () => Promise<boolean>;
  /** Before each delivery at which no function is at work, and where no message is left. @returns tasks that somebody sends */
  readonly between?: (id: string) => Promise<readonly Task[]>;
}

interface Execution {
  readonly id: string;
  /** Counts down with each request; at 0 the function dies. */
  untilDeath: number;
  readonly dies: Promise<'killed'>;
  readonly die: () => void;
  dead: boolean;
  /** Requests one after the other: those that are sent together are answered in the order in which they were sent. */
  chain: Promise<unknown>;
  readonly seen: Map<string, number>;
}

/** A warm function: what it holds outlives a message, and is gone when it is killed. */
interface Warm {
  readonly context: FleetContext;
  execution: Execution | undefined;
  skewMs: number;
}

export function createCourse(options: CourseOptions) {
  const { objects, clock, draw, tally, hasEnded, between = () => Promise.resolve([]) } = options;
  const messages: Message[] = [];
  const idle: Warm[] = [];
  const serve = serveS3(objects);
  let working = 0;

  const chance = (what: string, share: number) => draw !== undefined && draw(what).uniform() < share;
  const count = (name: string) => tally.faults.set(name, (tally.faults.get(name) ?? 0) + 1);

  function enqueue(tasks: readonly Task[], delayOf: (task: Task) => number, id: string): void {
    tasks.forEach((task, i) => {
      const late = chance(`late ${id} ${i}`, LATE.chance)
        ? draw!(`how late ${id} ${i}`).uniform() * LATE.seconds * 1000
        : 0;
      messages.push({ task, dueAt: clock.now + delayOf(task) * 1000 + late, receives: 0 });
    });
  }

  /** One request of a function to the world, with all that may happen to either. */
  function request<T>(warm: Warm, what: string, perform: (id: string) => Promise<T>): Promise<T> {
    const execution = warm.execution;
    if (execution === undefined) throw new Error(`${what}: asked after the function had returned`);
    const occurrence = (execution.seen.get(what) ?? 0) + 1;
    execution.seen.set(what, occurrence);
    const id = `${execution.id} ${what} ${occurrence}`;
    const answer = execution.chain.then(async () => {
      if (execution.dead) return NEVER;
      clock.now += REQUEST_MS;
      if (chance(`others ${id}`, MEANWHILE.others) && working < FLEET) await deliverNext();
      if (chance(`jump ${id}`, MEANWHILE.clockJump)) {
        count('clock jump');
        warm.skewMs += Math.round((draw!(`how far ${id}`).uniform() - 0.5) * 2 * HOUR_MS);
      }
      execution.untilDeath -= 1;
      const dies = execution.untilDeath === 0;
      // Dead before the request was sent, or after it had its effect.
      const effect = !dies || chance(`effect ${id}`, 0.5);
      if (!effect) {
        execution.die();
        return NEVER;
      }
      const performed = perform(id);
      if (!dies) return performed;
      await performed.catch(() => undefined);
      execution.die();
      return NEVER;
    });
    execution.chain = answer.catch(() => undefined);
    return answer;
  }

  function cold(): Warm {
    const atStore = (asked: S3Request): Promise<S3Answer> =>
      request(warm, `${asked.method} ${keyOf(asked)}`, (id) => {
        const fault = draw && faultOf(draw, id, asked);
        if (draw === undefined || fault === undefined) return serve(asked);
        count(fault.name);
        const wait = (seconds: number) => {
          clock.now += seconds * 1000;
        };
        return fault.act(() => serve(asked), draw(`how ${fault.name} of ${id}`), wait, asked);
      });
    const queue: TaskQueue = {
      send: (tasks, { delaySeconds = 0 } = {}) =>
        request(warm, `send ${tasks.map(({ kind }) => kind).join()}`, async (id) => {
          await Promise.resolve();
          const delayOf = typeof delaySeconds === 'number' ? () => delaySeconds : delaySeconds;
          for (let attempt = 0; attempt < SEND.tries; attempt++) {
            const of = `${id} try ${attempt}`;
            const fails = chance(`send fails ${of}`, SEND.fails);
            if (!fails || chance(`taken ${of}`, SEND.taken)) enqueue(tasks, delayOf, of);
            if (!fails) return;
            count('send fails');
          }
          throw new Fault('unavailable', 'the queue cannot be reached now');
        }),
    };
    const warm: Warm = {
      context: {
        store: refreshing(storeOver(atStore), () => clock.now + warm.skewMs),
        queue,
        runtime: nativeRuntime(),
        now: () => new Date(clock.now + warm.skewMs),
        watchSeconds: 20,
        lostSeconds: 240,
        caches: {
          rows: shardCache(1e8),
          programs: recent<Promise<TrainingProgram>>(2, (loading) => {
            void loading.then((program) => program.release()).catch(() => undefined);
          }),
          states: recent(4),
          documents: recent(64),
          sessions: recent(2),
        },
      },
      execution: undefined,
      skewMs: 0,
    };
    return warm;
  }

  /** Calls of the function's clock that still give time, then none is left. */
  function dwindling(id: string): Pick<MessageDelivery, 'remainingMs'> {
    let calls = 2 + draw!(`steps ${id}`).below(3);
    return { remainingMs: () => (calls-- > 0 ? 100_000 : 0) };
  }

  async function deliver(message: Message): Promise<void> {
    tally.deliveries += 1;
    const id = `delivery ${tally.deliveries}`;
    message.receives += 1;
    message.dueAt = clock.now + VISIBILITY_MS;
    if (chance(`duplicate ${id}`, DELIVERY.duplicate)) {
      tally.duplicates += 1;
      // SQS counts some of them and some not.
      const receives = message.receives - (chance(`counted ${id}`, 0.5) ? 0 : 1);
      messages.push({ task: message.task, receives, dueAt: clock.now + draw!(`when ${id}`).below(20_000) });
    }
    const warm = idle.shift() ?? cold();
    if (chance(`clock ${id}`, DELIVERY.wrongClock)) {
      count('wrong clock');
      warm.skewMs = Math.round((draw!(`how wrong ${id}`).uniform() - 0.5) * 2 * HOUR_MS);
    }
    const killed = chance(`kill ${id}`, DELIVERY.kill);
    let die: Execution['die'] = () => undefined;
    const dies = new Promise<'killed'>((resolve) => {
      die = () => {
        execution.dead = true;
        resolve('killed');
      };
    });
    const execution: Execution = {
      id,
      untilDeath: killed ? 1 + draw!(`at ${id}`).below(20) : Infinity,
      dies,
      die,
      dead: false,
      chain: Promise.resolve(),
      seen: new Map(),
    };
    warm.execution = execution;
    if (working > 0) tally.atOnce += 1;
    working += 1;
    const handled = dispatch(warm.context, JSON.stringify(message.task), {
      messageId: 'message',
      redelivered: message.receives > 1,
      lastChance: message.receives >= MAX_RECEIVES,
      ...(message.task.kind === 'shard' && chance(`hand on ${id}`, DELIVERY.handOn) ? dwindling(id) : {}),
    }).then(
      () => 'done' as const,
      (thrown: unknown) => {
        if (!(thrown instanceof Fault)) throw thrown;
        return 'failed' as const;
      },
    );
    const outcome = await Promise.race([handled, dies]);
    working -= 1;
    if (outcome === 'killed' || killed) {
      // Killed after its last request: nobody acknowledges.
      tally.killed += 1;
      execution.dead = true;
      return;
    }
    warm.execution = undefined;
    idle.push(warm);
    if (outcome === 'done') messages.splice(messages.indexOf(message), 1);
  }

  /** Of what is due any, whoever was sent first. @returns false where nothing is */
  async function deliverNext(): Promise<boolean> {
    for (const spent of messages.filter((m) => m.dueAt <= clock.now && m.receives >= MAX_RECEIVES)) {
      messages.splice(messages.indexOf(spent), 1);
      tally.setAside += 1;
    }
    const due = messages.filter(({ dueAt }) => dueAt <= clock.now);
    if (due.length === 0) return false;
    const pick = draw === undefined ? 0 : draw(`next ${tally.deliveries}`).below(due.length);
    await deliver(due[pick]!);
    return true;
  }

  let nextSweep = clock.now;
  let sweeps = 0;
  let losses = 0;

  /** What a schedule does in the deployed fleet. It dies at a request now and then. */
  async function sweep(): Promise<void> {
    nextSweep = clock.now + SWEEP.everySeconds * 1000;
    const id = `sweep ${++sweeps}`;
    let untilDeath = chance(`kill ${id}`, SWEEP.killed) ? 1 + draw!(`at ${id}`).below(12) : Infinity;
    const asked = <T>(perform: () => Promise<T>): Promise<T> =>
      --untilDeath === 0 ? Promise.reject(new Fault('unavailable', 'killed')) : perform();
    const { revived } = await sweepJobs({
      store: {
        get: (...args) => asked(() => objects.get(...args)),
        head: (...args) => asked(() => objects.head(...args)),
        put: (...args) => asked(() => objects.put(...args)),
        list: (...args) => asked(() => objects.list(...args)),
        delete: () => Promise.reject(new Error('a sweep deletes nothing')),
      },
      queue: {
        send: (tasks) =>
          asked(() => {
            enqueue(tasks, () => 0, id);
            return Promise.resolve();
          }),
      },
      now: () => new Date(clock.now),
      stalledSeconds: SWEEP.stalledSeconds,
    }).catch((thrown: unknown) => {
      if (!(thrown instanceof Fault)) throw thrown;
      return { revived: [] };
    });
    tally.revived += revived.length;
  }

  return {
    /** Where whoever is no function (the API) sends its tasks. */
    queue: {
      send(tasks, { delaySeconds = 0 } = {}) {
        enqueue(tasks, typeof delaySeconds === 'number' ? () => delaySeconds : delaySeconds, 'outside');
        return Promise.resolve();
      },
    } satisfies TaskQueue,

    /** Until no message is left and the job has ended. @throws where it never does */
    async run(): Promise<void> {
      for (;;) {
        while (messages.length > 0) {
          if (draw !== undefined && clock.now >= nextSweep) await sweep();
          if (tally.deliveries > MOST_DELIVERIES)
            throw new Error(`no end after ${MOST_DELIVERIES} deliveries`);
          const id = `before ${tally.deliveries + 1}`;
          enqueue(await between(id), () => 0, id);
          if (chance(`lose ${id} ${losses}`, PEOPLE.lose)) {
            losses += 1;
            count('all messages lost');
            messages.splice(0);
          }
          if (await deliverNext()) continue;
          if (messages.length > 0)
            clock.now = Math.max(clock.now, Math.min(...messages.map(({ dueAt }) => dueAt)));
        }
        if (await hasEnded()) return;
        const idle = `idle before ${tally.deliveries + 1}, ${sweeps}`;
        enqueue(await between(idle), () => 0, idle);
        if (messages.length > 0) continue;
        if (draw === undefined || sweeps > MOST_SWEEPS)
          throw new Error('the job has not ended, and no message is left');
        clock.now = Math.max(clock.now, nextSweep);
        await sweep();
      }
    },
  };
}
