/** The merges of byte-pair encoding. */

/** Positions are below this; ranks times this stay exact. */
const POSITIONS = 2 ** 31;

/**
 * Merges two neighbours whose union ranks first, the leftmost where ranks are equal, until no two make a token. The
 * result is that of looking through all pairs before each merge; a heap of candidates makes it n·log n.
 * @param merged the token two neighbours make, undefined where they make none
 * @param ranks of the tokens, 0 first; fewer than 2^22
 */
export function mergePairs(
  tokens: Uint32Array,
  merged: (left: number, right: number) => number | undefined,
  ranks: Uint32Array,
): Uint32Array<ArrayBuffer> {
  const count = tokens.length;
  const token = tokens.slice();
  // A doubly linked list of what is left; a merge keeps the left place. `count` and -1 are its ends.
  const next = Uint32Array.from({ length: count }, (_, i) => i + 1);
  const previous = Int32Array.from({ length: count }, (_, i) => i - 1);
  const isGone = new Uint8Array(count);
  const union = (left: number): number | undefined =>
    isGone[left] === 1 || next[left] === count ? undefined : merged(token[left]!, token[next[left]!]!);

  const heap: number[] = [];
  const propose = (left: number) => {
    const id = left < 0 ? undefined : union(left);
    if (id !== undefined) push(heap, ranks[id]! * POSITIONS + left);
  };
  for (let i = 0; i < count; i++) propose(i);

  while (heap.length > 0) {
    const best = pop(heap);
    const left = best % POSITIONS;
    const id = union(left);
    // What was proposed may have gone since, or been merged into something else.
    if (id === undefined || ranks[id]! * POSITIONS + left !== best) continue;
    const right = next[left]!;
    token[left] = id;
    isGone[right] = 1;
    const after = next[right]!;
    next[left] = after;
    if (after < count) previous[after] = left;
    propose(previous[left]!);
    propose(left);
  }
  return token.filter((_, i) => isGone[i] === 0);
}

/** A binary heap, smallest first. */
function push(heap: number[], value: number): void {
  let at = heap.length;
  heap.push(value);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (heap[parent]! <= value) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = value;
}

/** @param heap not empty */
function pop(heap: number[]): number {
  const first = heap[0]!;
  const last = heap.pop()!;
  const count = heap.length;
  if (count === 0) return first;
  let at = 0;
  for (let child = 1; child < count; child = 2 * at + 1) {
    if (child + 1 < count && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= last) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
  return first;
}
