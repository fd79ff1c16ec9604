/**
 * Requests that have begun but whose bodies are still being read, by model: whether somebody is about to join a batch.
 * A session blocks the only thread, so under load requests do not wait for it where they could be counted: they have
 * begun, and the event loop has not come to read them.
 */
import { boundedMap } from '../bounded-map.ts';
import { REMEMBERED, SENDING_MS } from './config.ts';

/** One request on its way. */
export interface Arrival {
  /** It is there: nobody waits for it any longer. */
  here(): void;
  /** It is there and done with, or will never be: who waits for nobody else now wakes. May be called again. */
  over(): void;
  /** Whether nobody is on the way to the same model; itself counts until it is here. */
  alone(): boolean;
  /** Calls back once when nobody is on the way any more. @returns what takes that back */
  onAlone(wake: () => void): () => void;
  /**
   * Begins a wait for the others. @returns what ends it in vain: if nobody came meanwhile, nobody waits again for those
   * now on the way, who send slowly or were cancelled
   */
  patience(): () => void;
}

/** How many began about the same time and are on the way. */
interface Generation {
  count: number;
  readonly began: number;
}

interface Group {
  current: Generation;
  /** Of those before it nobody knows any more: in a Worker a cancelled request ends without a word, and is never over. */
  previous: Generation;
  /** How many were here so far. */
  arrived: number;
  readonly waiting: Set<() => void>;
}

const generation = (began: number): Generation => ({ count: 0, began });

/** @returns begin, to be called with the path's name of a model and the time in milliseconds when a request begins */
export function createArrivals(): (model: string, now: number) => Arrival {
  const groups = boundedMap<Group>(REMEMBERED);

  return (model, now) => {
    let group = groups.get(model);
    if (group === undefined) {
      group = { current: generation(now), previous: generation(now), arrived: 0, waiting: new Set() };
      groups.set(model, group);
    }
    const age = now - group.current.began;
    if (age > SENDING_MS) {
      group.previous = age > 2 * SENDING_MS ? generation(now) : group.current;
      group.current = generation(now);
    }
    return new Counted(group);
  };
}

/** A class, as every request makes one and most use nothing of it. */
class Counted implements Arrival {
  readonly #group: Group;
  /** Undefined once it is here. */
  #generation: Generation | undefined;

  constructor(group: Group) {
    this.#group = group;
    this.#generation = group.current;
    group.current.count += 1;
  }

  here(): void {
    if (this.#generation === undefined) return;
    this.#generation.count -= 1;
    this.#generation = undefined;
    this.#group.arrived += 1;
  }

  over(): void {
    this.here();
    if (this.alone()) wakeAll(this.#group);
  }

  alone(): boolean {
    const { current, previous } = this.#group;
    return current.count + previous.count === 0;
  }

  onAlone(wake: () => void): () => void {
    const { waiting } = this.#group;
    waiting.add(wake);
    return () => waiting.delete(wake);
  }

  patience(): () => void {
    const group = this.#group;
    const { arrived } = group;
    return () => {
      if (group.arrived !== arrived) return;
      group.current = generation(group.current.began);
      group.previous = generation(group.current.began);
      wakeAll(group);
    };
  }
}

function wakeAll({ waiting }: Group): void {
  if (waiting.size === 0) return;
  const woken = [...waiting];
  waiting.clear();
  for (const wake of woken) wake();
}
