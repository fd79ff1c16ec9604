/**
 * The fleet as a state machine whose steps are chosen from outside: the handlers that ship, over objects and messages
 * that are values. An execution is the log of what its requests were answered: running its handler again against the
 * log brings it to where it was, so a state can be copied, compared and gone on from in more than one way.
 */
import { createHash } from 'node:crypto';
import { dispatch } from '../../../cloud/training/dispatch.ts';
import { shardCache } from '../../../cloud/training/caches.ts';
import type { FleetContext } from '../../../cloud/training/context.ts';
import type { TrainingProgram } from '../../../cloud/training/engine/program.ts';
import type { Task } from '../../../core/contracts/task.ts';
import { Fault } from '../../../core/errors.ts';
import type { TrainingState } from '../../../core/jobs/state.ts';
import type { ObjectStore } from '../../../core/storage/object-store.ts';
import { coldCaches, fleetContext, START } from '../fleet/world.ts';

export interface Stored {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface Message {
  readonly task: Task;
  readonly receives: number;
}

/** Everything that outlives a function. */
export interface World {
  readonly objects: ReadonlyMap<string, Stored>;
  readonly queue: readonly Message[];
}

/** What a handler asked for and was not answered yet. */
interface Request {
  readonly id: string;
  readonly writes: boolean;
  /** @returns the world after it, and the answer */
  readonly perform: (world: World) => { readonly world: World; readonly answer: unknown };
}

export interface Execution {
  readonly message: Message;
  /** True: its clock is so far on that whatever is missing is overdue. */
  readonly late: boolean;
  readonly log: ReadonlyMap<string, unknown>;
  /** What it waits for. */
  readonly waits: Request;
}

export type Progress =
  | { readonly kind: 'waits'; readonly execution: Execution; readonly world: World }
  | { readonly kind: 'acknowledged' | 'failed'; readonly world: World };

/** After so many receives a message is set aside, as in the deployed queue. */
export const MAX_RECEIVES = 5;
const LATE_MS = 3_600_000;
const DATE = new Date(START);

const info = (key: string, { body, metadata }: Stored) => ({
  key,
  size: body.length,
  etag: '"e"',
  modifiedAt: DATE,
  ...(metadata === undefined ? {} : { metadata }),
});

/** What breaks the rule that nothing is ever overwritten. */
export class Overwritten extends Error {}

function put(world: World, key: string, stored: Stored, condition: unknown) {
  const there = world.objects.get(key);
  if (condition !== 'create') throw new Overwritten(`${key} is written without a condition`);
  if (there !== undefined) return { world, answer: { kind: 'refused' } };
  const objects = new Map(world.objects).set(key, stored);
  return { world: { ...world, objects }, answer: { kind: 'written', etag: '"e"' } };
}

/** What is only told, and decides nothing. */
const TOLD: ReadonlySet<string> = new Set(['spent', 'usage', 'executions', 'copy']);
const untold = (name: string, value: unknown) => (TOLD.has(name) ? undefined : value);

function send(world: World, tasks: readonly Task[]) {
  const sent = tasks.map((task) => JSON.parse(JSON.stringify(task, untold)) as Task);
  const queue = [...world.queue, ...sent.map((task) => ({ task, receives: 1 }))];
  return { world: { ...world, queue }, answer: undefined };
}

/**
 * @param pauseAt `writes`: a handler's reads between two writes see one moment; `requests`: each its own
 */
export function createModel(program: TrainingProgram, pauseAt: 'writes' | 'requests') {
  const states = new Map<string, TrainingState>();
  const rows = shardCache(1e6);

  function contextOf(ask: (request: Request) => Promise<unknown>, late: boolean): FleetContext {
    const occurrences = new Map<string, number>();
    const request = (what: string, writes: boolean, perform: Request['perform']) => {
      const n = (occurrences.get(what) ?? 0) + 1;
      occurrences.set(what, n);
      return ask({ id: `${what} ${n}`, writes, perform });
    };
    const read = (what: string, answer: (world: World) => unknown) =>
      request(what, false, (world) => ({ world, answer: answer(world) }));
    const store: ObjectStore = {
      get: (key) =>
        read(`get ${key}`, ({ objects }) => {
          const stored = objects.get(key);
          return stored && { ...info(key, stored), body: stored.body };
        }) as ReturnType<ObjectStore['get']>,
      head: (key) =>
        read(`head ${key}`, ({ objects }) => {
          const stored = objects.get(key);
          return stored && info(key, stored);
        }) as ReturnType<ObjectStore['head']>,
      put: (key, body, { condition, metadata } = {}) =>
        request(`put ${key}`, true, (world) => {
          const stored = { body: new Uint8Array(body), ...(metadata === undefined ? {} : { metadata }) };
          return put(world, key, stored, condition);
        }) as ReturnType<ObjectStore['put']>,
      delete: (key) => {
        throw new Overwritten(`${key} is deleted`);
      },
      list: (prefix) =>
        read(`list ${prefix}`, ({ objects }) => ({
          objects: [...objects]
            .filter(([key]) => key.startsWith(prefix))
            .map(([key, stored]) => info(key, stored)),
        })) as ReturnType<ObjectStore['list']>,
    };
    const queue: FleetContext['queue'] = {
      // One request of the queue each ten; what the model's jobs send fits in one.
      send: (tasks) =>
        request(`send ${JSON.stringify(tasks)}`, true, (world) => send(world, tasks)) as Promise<void>,
    };
    const now = () => new Date(START + (late ? LATE_MS : 0));
    const caches = {
      ...coldCaches(),
      rows,
      // By content: what is in there does not depend on who put it there.
      states: {
        get: (key: string) => states.get(key),
        set: (key: string, value: TrainingState) => void states.set(key, value),
        delete: (key: string) => void states.delete(key),
      },
    };
    return fleetContext({ store, queue, now, caches }, program);
  }

  /** Runs a message's handler, answered by the log and then by the world, to its next pause. */
  async function run(
    world: World,
    message: Message,
    late: boolean,
    log: ReadonlyMap<string, unknown>,
  ): Promise<Progress> {
    const known = new Map(log);
    let at = world;
    let stopped = false;
    return new Promise<Progress>((resolve, reject) => {
      const forever = new Promise<never>(() => {});
      const ask = (request: Request): Promise<unknown> => {
        if (stopped) return forever;
        if (known.has(request.id)) return Promise.resolve(known.get(request.id));
        if (request.writes || pauseAt === 'requests') {
          stopped = true;
          resolve({ kind: 'waits', execution: { message, late, log: known, waits: request }, world: at });
          return forever;
        }
        const { world: after, answer } = request.perform(at);
        at = after;
        known.set(request.id, answer);
        return Promise.resolve(answer);
      };
      const { receives } = message;
      const delivery = { messageId: 'm', redelivered: receives > 1, lastChance: receives >= MAX_RECEIVES };
      dispatch(contextOf(ask, late), JSON.stringify(message.task), delivery).then(
        () => stopped || resolve({ kind: 'acknowledged', world: at }),
        (thrown: unknown) => {
          if (stopped) return;
          if (thrown instanceof Fault && thrown.retryable) resolve({ kind: 'failed', world: at });
          else reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
        },
      );
    });
  }

  return {
    start: (world: World, message: Message, late = false) => run(world, message, late, new Map()),
    /** Answers what the execution waits for, and runs it on. */
    step(world: World, { message, late, log, waits }: Execution): Promise<Progress> {
      const { world: after, answer } = waits.perform(world);
      return run(after, message, late, new Map(log).set(waits.id, answer));
    },
  };
}

export type Model = ReturnType<typeof createModel>;

/** A killed or failed message comes back, or is set aside. */
export function comeBack(world: World, { task, receives }: Message): World {
  if (receives >= MAX_RECEIVES) return world;
  return { ...world, queue: [...world.queue, { task, receives: receives + 1 }] };
}

export function take(world: World, message: Message): World {
  const at = world.queue.indexOf(message);
  return { ...world, queue: world.queue.filter((_, i) => i !== at) };
}

const decoder = new TextDecoder();
const digests = new WeakMap<Uint8Array, string>();

/** What it cost to come here is not where we are: two ways to the same objects are one state. */
function contentOf(key: string, { body }: Stored): string {
  const known = digests.get(body);
  if (known !== undefined) return known;
  const content = key.endsWith('.json') ? JSON.stringify(JSON.parse(decoder.decode(body)), untold) : body;
  const digest = createHash('sha1').update(content).digest('base64');
  digests.set(body, digest);
  return digest;
}

const messageKey = ({ task, receives }: Message) => `${receives} ${JSON.stringify(task)}`;

/** Equal for states from which the same can happen. */
export function fingerprint(world: World, executions: readonly Execution[], more: string): string {
  const hash = createHash('sha1');
  for (const key of [...world.objects.keys()].sort()) {
    hash.update(`${key}\0${contentOf(key, world.objects.get(key)!)}\n`);
  }
  // How often a message has been received matters for being received again, and for being set aside, far away here.
  hash.update(world.queue.map(messageKey).sort().join('\n'));
  hash.update(
    executions
      .map(({ message, late, log, waits }) => {
        const answers = [...log].map(([id, answer]) => `${id}=${answerKey(answer)}`).sort();
        return `${messageKey(message)} ${late} ${waits.id} ${answers.join(',')}`;
      })
      .sort()
      .join('\n'),
  );
  return hash.update(more).digest('base64');
}

/** Whether there was an object: what is in it follows from its key, and from the objects that are compared anyway. */
function answerKey(answer: unknown): string {
  if (typeof answer !== 'object' || answer === null) return String(answer);
  return 'kind' in answer ? String(answer.kind) : 'there';
}
