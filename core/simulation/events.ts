/** A virtual clock: what is to happen, in the order of its time, and of its scheduling where times are equal. */

interface Scheduled {
  readonly at: number;
  readonly order: number;
  readonly happen: () => void;
}

const before = (a: Scheduled, b: Scheduled) => a.at < b.at || (a.at === b.at && a.order < b.order);

export interface Timeline {
  /** Milliseconds since the beginning. */
  now(): number;
  /** @param at not before now */
  schedule(at: number, happen: () => void): void;
  /** Lets everything happen up to a time, or until nothing is left. */
  run(until?: number): void;
}

/** A binary heap of events. */
export function createTimeline(): Timeline {
  const heap: Scheduled[] = [];
  let time = 0;
  let order = 0;

  const swap = (i: number, j: number) => {
    [heap[i], heap[j]] = [heap[j]!, heap[i]!];
  };

  function push(event: Scheduled): void {
    heap.push(event);
    let i = heap.length - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(heap[i]!, heap[parent]!)) return;
      swap(i, parent);
      i = parent;
    }
  }

  function pop(): Scheduled {
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    heap[0] = last;
    let i = 0;
    for (;;) {
      const [left, right] = [2 * i + 1, 2 * i + 2];
      let next = i;
      if (left < heap.length && before(heap[left]!, heap[next]!)) next = left;
      if (right < heap.length && before(heap[right]!, heap[next]!)) next = right;
      if (next === i) return first;
      swap(i, next);
      i = next;
    }
  }

  return {
    now: () => time,
    schedule(at, happen) {
      push({ at: Math.max(at, time), order: order++, happen });
    },
    run(until = Infinity) {
      while (heap.length > 0 && heap[0]!.at <= until) {
        const event = pop();
        time = event.at;
        event.happen();
      }
      if (until !== Infinity) time = Math.max(time, until);
    },
  };
}
