/** Bare loops around `session.run`, one on each of some threads: what batch inference is measured against. */
import { availableParallelism } from 'node:os';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Tensor } from 'onnxruntime-node';
import { createSession } from '../../cloud/adapters/onnxruntime-session.ts';

export interface Loop {
  readonly model: Uint8Array<ArrayBuffer>;
  /** Of the only input, float32, as the model reads it. */
  readonly rows: Float32Array;
  /** Of one row. */
  readonly shape: readonly number[];
  readonly batchSize: number;
}

/** @returns rows a second of all threads together, each with its share of the rows, sessions and tensors made before */
export async function bareLoops(loop: Loop, threads = availableParallelism()): Promise<number> {
  const perRow = loop.shape.reduce((product, size) => product * size, 1);
  const rows = loop.rows.length / perRow;
  const workers = Array.from({ length: threads }, (_, thread) => {
    const [start, end] = [thread, thread + 1].map((k) => Math.floor((k * rows) / threads) * perRow);
    const share = { ...loop, rows: loop.rows.slice(start, end) };
    return new Worker(new URL(import.meta.url), { workerData: share });
  });
  const ended = workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
  const answer = (worker: Worker) =>
    new Promise<void>((resolve, reject) => {
      worker.once('message', () => resolve());
      worker.once('error', reject);
    });
  await Promise.all(workers.map(answer));
  const began = performance.now();
  await Promise.all(
    workers.map((worker) => {
      const done = answer(worker);
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread has no origin
      worker.postMessage('run');
      return done;
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  // They end by themselves: a thread that is torn down while it holds a session takes the process with it.
  await Promise.all(ended);
  return rows / seconds;
}

async function serve({ model, rows, shape, batchSize }: Loop): Promise<void> {
  const session = await createSession(model);
  const [input = ''] = session.inputNames;
  const perRow = shape.reduce((product, size) => product * size, 1);
  const count = rows.length / perRow;
  const batches = Array.from({ length: Math.ceil(count / batchSize) }, (_, i) => {
    const data = rows.subarray(i * batchSize * perRow, (i + 1) * batchSize * perRow);
    return new Tensor('float32', data, [data.length / perRow, ...shape]);
  });
  await session.run({ [input]: batches[0]! });
  const say = (word: string) => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread has no origin
    parentPort?.postMessage(word);
  };
  parentPort?.once('message', () => {
    void (async () => {
      for (const batch of batches) await session.run({ [input]: batch });
      say('done');
      await session.release();
    })();
  });
  say('ready');
}

if (!isMainThread) await serve(workerData as Loop);
