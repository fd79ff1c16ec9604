/** Rows by seeds over as many threads as there are cores. */
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Answer, Order } from './worker.ts';

/** @param orders in the order in which they are begun @param done told of each as it comes */
export async function runAll(
  orders: readonly Order[],
  done: (order: Order, answer: Answer) => void,
): Promise<void> {
  const left = [...orders];
  const work = async () => {
    if (left.length === 0) return;
    const worker = new Worker(new URL('worker.ts', import.meta.url));
    try {
      for (let order = left.shift(); order !== undefined; order = left.shift()) {
        const answered = once(worker, 'message');
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
        worker.postMessage(order);
        done(order, (await answered)[0] as Answer);
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
}
