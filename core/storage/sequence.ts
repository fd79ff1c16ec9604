/**
 * Dense create-only sequences: objects numbered 1, 2, 3 … of which the highest is the current one. This is how a
 * channel moves and a version appears without a key ever being rewritten (R2 throttles a hot key) and without LIST
 * (whose pages come oldest first). The head is found by doubling and bisection: 2·log2(n) HEADs cold, one warm.
 */
import { Fault } from '../errors.ts';
import { putJson } from './json.ts';
import type { ObjectStore } from './object-store.ts';

/** Attempts to append under contention before giving up; every loss means somebody else's append succeeded. */
const APPEND_ATTEMPTS = 32;

export type KeyOf = (n: number) => string;

/**
 * @param known a number known to exist (0: none), from an earlier call
 * @returns the highest n whose object exists, 0 where there is none
 */
export async function headOf(store: ObjectStore, keyOf: KeyOf, known = 0): Promise<number> {
  let low = known;
  let step = 1;
  while ((await store.head(keyOf(low + step))) !== undefined) {
    low += step;
    step *= 2;
  }
  let high = low + step;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if ((await store.head(keyOf(middle))) !== undefined) low = middle;
    else high = middle;
  }
  return low;
}

/**
 * Appends `make(n)` as the next object, whoever else appends at the same time.
 * @param settles asked about an n that somebody else took just now: true ends the append there
 * @param after a number known to exist, from which on nobody else's goes unasked; default: the head
 * @returns the n it got
 */
export async function append(
  store: ObjectStore,
  keyOf: KeyOf,
  make: (n: number) => unknown,
  settles?: (n: number) => Promise<boolean>,
  after?: number,
): Promise<number> {
  let n = after ?? (await headOf(store, keyOf));
  for (let attempt = 0; attempt < APPEND_ATTEMPTS; attempt++) {
    n += 1;
    const outcome = await putJson(store, keyOf(n), make(n), 'create');
    if (outcome.kind === 'written' || (await settles?.(n))) return n;
  }
  throw new Fault('unavailable', `could not append at ${keyOf(n)}: too many writers at once`);
}
