/** What a warm function still has of what it read (cloud/training/caches.ts), and so need not read again. */
import { part } from '../../jobs/schedule.ts';
import type { Memory, Request } from '../functions.ts';
import type { Workload } from '../workload.ts';

/** States that a warm function keeps, and bytes of rows and of its own updates. */
const KEPT_STATES = 4;
const KEPT_ROWS = 256 * 1024 * 1024;
const KEPT_UPDATES = 64 * 1024 * 1024;

/** How many of these the function has still to read; then it has them. */
export function unread({ documents }: Memory, ...names: readonly string[]): number {
  const missing = names.filter((name) => !documents.has(name));
  for (const name of missing) documents.add(name);
  return missing.length;
}

export const commits = (memory: Memory, round: number): Request[] =>
  round < 0 ? [] : [{ reads: unread(memory, `commit ${round}`) }];

/** Files of a shard's rows that it has not, which it then keeps as far as there is room. */
export function unreadFiles(
  { files: kept }: Memory,
  { rows, shards, files }: Pick<Workload, 'rows' | 'shards' | 'files'>,
  shard: number,
) {
  const { start, end } = part(rows, shards, shard);
  const missing = { count: 0, bytes: 0 };
  let first = 0;
  files.forEach((file, i) => {
    const isOurs = first < end && first + file.rows > start;
    first += file.rows;
    if (!isOurs) return;
    if (kept.delete(i)) {
      kept.set(i, file.bytes);
      return;
    }
    missing.count += 1;
    missing.bytes += file.bytes;
    keep(kept, i, file.bytes, KEPT_ROWS);
  });
  return missing;
}

function keep<Key>(kept: Map<Key, number>, key: Key, bytes: number, capacity: number): void {
  if (bytes <= capacity) kept.set(key, bytes);
  let held = [...kept.values()].reduce((sum, size) => sum + size, 0);
  for (const [oldest, size] of kept) {
    if (held <= capacity) break;
    kept.delete(oldest);
    held -= size;
  }
}

/** Of an update's file: with several mergers that only names its parts. */
export const fileBytes = ({ mergers, bytes }: Pick<Workload, 'mergers' | 'bytes'>): number =>
  mergers > 1 ? bytes.file : bytes.update;

export const keepUpdate = (
  { updates }: Memory,
  workload: Pick<Workload, 'mergers' | 'bytes'>,
  round: number,
  shard: number,
): void => keep(updates, `${round} ${shard}`, fileBytes(workload), KEPT_UPDATES);

/** How many of a round's updates the function wrote itself, and still has. */
export const keptUpdates = ({ updates }: Memory, round: number): number =>
  [...updates.keys()].filter((key) => key.startsWith(`${round} `)).length;

/** Keeps what shards of a round start from, or a merge goes on from. @returns whether the function had it already */
export function hasKept({ states }: Memory, what: 'state' | 'model', round: number): boolean {
  const name = `${what} ${round}`;
  const at = states.indexOf(name);
  if (at >= 0) states.splice(at, 1);
  states.push(name);
  if (states.length > KEPT_STATES) states.shift();
  return at >= 0;
}
