/** Every way through the model within bounds, or some by chance. */
import type { Random } from '../../../core/random.ts';
import {
  comeBack,
  type Execution,
  fingerprint,
  type Message,
  type Model,
  type Progress,
  take,
  type World,
} from './model.ts';

/** What may still go wrong on a way. */
export interface Faults {
  /** Functions killed between two of their writes. */
  readonly kills: number;
  /** Messages handed out a second time, while the first is worked on or after. */
  readonly duplicates: number;
  /** Messages that the queue loses, other than watches: what is lost those must find. */
  readonly losses: number;
  /** Looks of a watch. It is handed out at any time, also when nothing is overdue. */
  readonly looks: number;
}

interface State {
  readonly world: World;
  readonly executions: readonly Execution[];
  readonly faults: Faults;
}

export interface Explored {
  readonly states: number;
  readonly transitions: number;
  /** Worlds in which nothing runs and no fault is left: each must end well from there. */
  readonly ends: readonly World[];
}

export interface ExploreOptions {
  readonly faults: Faults;
  /** Functions at the same time. */
  readonly concurrency: number;
  readonly check: (world: World) => void;
}

/** Depth first, each state once. */
export async function explore(model: Model, start: World, options: ExploreOptions): Promise<Explored> {
  const seen = new Set<string>();
  const ends = new Map<string, World>();
  const stack: State[] = [{ world: start, executions: [], faults: options.faults }];
  let transitions = 0;
  for (let state = stack.pop(); state !== undefined; state = stack.pop()) {
    const key = fingerprint(state.world, state.executions, JSON.stringify(state.faults));
    if (seen.has(key)) continue;
    seen.add(key);
    options.check(state.world);
    const next = await successors(model, state, options);
    transitions += next.length;
    if (next.length === 0) ends.set(fingerprint(state.world, [], ''), state.world);
    stack.push(...next);
  }
  return { states: seen.size, transitions, ends: [...ends.values()] };
}

async function successors(model: Model, state: State, { concurrency }: ExploreOptions): Promise<State[]> {
  const { world, executions, faults } = state;
  const next: State[] = [];
  const others = (running: Execution) => executions.filter((each) => each !== running);

  for (const running of executions) {
    next.push(settle(await model.step(world, running), running.message, others(running), faults));
    if (faults.kills > 0)
      next.push({
        world: comeBack(world, running.message),
        executions: others(running),
        faults: { ...faults, kills: faults.kills - 1 },
      });
  }
  if (executions.length >= concurrency) return next;
  for (const message of distinct(world.queue)) {
    const isWatch = message.task.kind === 'watch';
    if (isWatch && faults.looks === 0) continue;
    if (!isWatch && faults.losses > 0)
      next.push({
        world: take(world, message),
        executions,
        faults: { ...faults, losses: faults.losses - 1 },
      });
    const left = isWatch ? { ...faults, looks: faults.looks - 1 } : faults;
    for (const late of isWatch ? [false, true] : [false]) {
      const taken = take(world, message);
      next.push(settle(await model.start(taken, message, late), message, executions, left));
      if (left.duplicates === 0) continue;
      // Handed out twice: once as if for the first time, once as what did not come back in time.
      const fewer = { ...left, duplicates: left.duplicates - 1 };
      next.push(settle(await model.start(world, message, late), message, executions, fewer));
      const again = comeBack(taken, message);
      next.push(settle(await model.start(again, message, late), message, executions, fewer));
    }
  }
  return next;
}

function settle(
  progress: Progress,
  message: Message,
  executions: readonly Execution[],
  faults: Faults,
): State {
  switch (progress.kind) {
    case 'waits':
      return { world: progress.world, executions: [...executions, progress.execution], faults };
    case 'acknowledged':
      return { world: progress.world, executions, faults };
    case 'failed':
      return { world: comeBack(progress.world, message), executions, faults };
  }
}

function distinct(queue: readonly Message[]): Message[] {
  const byText = new Map(queue.map((message) => [JSON.stringify(message), message]));
  return [...byText.values()];
}

/** Without any more faults: messages in turn, watches when nothing else is left, until the queue is empty. */
export async function finish(model: Model, start: World, atMost = 400): Promise<World> {
  let world = start;
  for (let n = 0; world.queue.length > 0; n++) {
    if (n === atMost) throw new Error(`still busy after ${atMost} messages`);
    const message = world.queue.find(({ task }) => task.kind !== 'watch') ?? world.queue[0]!;
    let progress = await model.start(take(world, message), message, message.task.kind === 'watch');
    while (progress.kind === 'waits') progress = await model.step(progress.world, progress.execution);
    world = progress.kind === 'failed' ? comeBack(progress.world, message) : progress.world;
  }
  return world;
}

export interface Chances {
  /** Of a running function to be killed, at each of its requests. */
  readonly kill: number;
  /** Of a message to be handed out twice. */
  readonly duplicate: number;
  /** Of a watch to be handed out although something else could be. */
  readonly look: number;
}

/** One way by chance, to the end: whatever is waiting or running may be next. */
export async function wander(
  model: Model,
  start: World,
  random: Random,
  { kill, duplicate, look }: Chances,
  {
    concurrency,
    check,
    atMost = 3_000,
  }: { concurrency: number; check: (world: World) => void; atMost?: number },
): Promise<World> {
  let world = start;
  let executions: Execution[] = [];
  let looks = 0;
  const chance = (p: number) => random.uniform() < p;
  const pick = <T>(things: readonly T[]): T => things[random.below(things.length)]!;

  for (let n = 0; n < atMost; n++) {
    const due = world.queue.filter(({ task }) => task.kind !== 'watch');
    const isIdle = due.length === 0 && executions.length === 0;
    if (isIdle && world.queue.length === 0) break;
    // A watch is delayed: it comes rarely while others come, and at last. Its time is up only so often.
    const watches =
      isIdle || (chance(look) && looks < 6) ? world.queue.filter(({ task }) => task.kind === 'watch') : [];
    const startable = executions.length < concurrency ? [...due, ...watches] : [];
    let progress: Progress;
    let message: Message;
    if (startable.length > 0 && (executions.length === 0 || chance(0.3))) {
      message = pick(startable);
      const isWatch = message.task.kind === 'watch';
      if (isWatch) looks += isIdle ? 0 : 1;
      const twice = chance(duplicate);
      const before = twice ? world : take(world, message);
      progress = await model.start(before, message, isWatch && (isIdle || chance(0.5)));
    } else if (executions.length > 0) {
      const running = pick(executions);
      executions = executions.filter((each) => each !== running);
      message = running.message;
      if (chance(kill)) {
        world = comeBack(world, message);
        continue;
      }
      progress = await model.step(world, running);
    } else continue;
    world = progress.world;
    if (progress.kind === 'waits') executions.push(progress.execution);
    if (progress.kind === 'failed') world = comeBack(world, message);
    check(world);
  }
  return world;
}
