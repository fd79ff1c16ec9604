/** A thread that does rows, one after another: rows do not depend on each other, and each keeps one core busy. */
import { parentPort } from 'node:worker_threads';
import { memoryStore } from '../../unit/memory-store.ts';
import { allReduce } from './all-reduce.ts';
import { throughHandlers } from './handlers.ts';
import { mnistIn, type Outcome } from './job.ts';
import { requestOf, type Row } from './rows.ts';

export interface Order {
  readonly id: number;
  readonly row: Row;
  readonly seed: number;
}
export type Answer = Outcome & { readonly id: number; readonly seconds: number };

const port = parentPort;
if (port === null) throw new Error('a worker thread of the bench');
const store = memoryStore();
const jobOf = await mnistIn(store);

async function answer({ id, row, seed }: Order): Promise<Answer> {
  const request = requestOf(await jobOf(seed), row);
  const job = `job_${String(id).padStart(8, '0')}`;
  const began = performance.now();
  const run = row.strategy.kind === 'all-reduce' ? allReduce : throughHandlers;
  return { id, ...(await run(store, request, job)), seconds: (performance.now() - began) / 1000 };
}

port.on('message', (order: Order) => void answer(order).then((done) => port.postMessage(done)));
