/**
 * `npm run bench:batch`: a batch job through the jobs API, the queue and the store, beside bare loops around
 * `session.run` with the same batch size on the same cores. In each of several turns both are run once; the ratio is
 * that of the medians. Each job has a data set of its own: no function holds its rows from the job before.
 */
import { rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { OutputFormat } from '../../core/contracts/fan-out.ts';
import { modelInput } from '../../core/datasets/model-input.ts';
import { readRows } from '../../core/datasets/read.ts';
import { buildCnn } from '../../core/onnx/builders/cnn.ts';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { decodeModel } from '../../core/onnx/model.ts';
import { signatureOf } from '../../core/onnx/signature.ts';
import { moveChannel } from '../../core/registry/channels.ts';
import { publishRelease } from '../../core/registry/releases.ts';
import { median } from '../../core/median.ts';
import { putBlob } from '../../core/storage/blobs.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import { createClient } from '../../infra/cli/client.ts';
import { importMnist } from '../../infra/cli/mnist.ts';
import { count, percent, table } from '../../infra/cli/output.ts';
import { memoryStore } from '../unit/memory-store.ts';
import { startStack } from '../../infra/local/stack.ts';
import { functionRates, type FunctionRates } from './batch-function.ts';
import { bareLoops } from './batch-loop.ts';
import { importRows } from './batch-rows.ts';

const TURNS = 3;
/** Of long jobs. */
const LONG_TURNS = 2;
const SETTLING_MS = 1_000;
const BATCH_SIZE = 256;
/** `npm run bench:batch -- test` for the 10,000 test images in place of the 60,000 others. */
const [SPLIT = 'train', ONLY] = process.argv.slice(2);
/** What is measured; `npm run bench:batch -- train job` for one of them alone. */
const isAsked = (what: 'function' | 'job' | 'long') => ONLY === undefined || ONLY === what;
/** Data sets of a long job are as many times the split. */
const LONG = 4;
const FORMATS: readonly OutputFormat[] = ['safetensors', 'csv'];

const MODELS = {
  'cnn 28x28, 16 and 32 filters': buildCnn({
    input: [1, 28, 28],
    flat: true,
    classes: 10,
    seed: 0,
    inputName: 'image',
  }),
  'mlp 784-128-10': buildMlp({ inputs: 784, hidden: [128], classes: 10, seed: 0, inputName: 'image' }),
};

/** A release as a training job would publish it: its weights do not matter to the clock. */
async function release(store: ObjectStore, model: string, graph: Uint8Array<ArrayBuffer>): Promise<void> {
  const sha256 = await putBlob(store, graph);
  const { inputs, outputs } = signatureOf(decodeModel(graph));
  const copied = (specs: typeof inputs) => specs.map((spec) => ({ ...spec, shape: [...spec.shape] }));
  const job = 'job_000000000bench';
  const number = await publishRelease(store, model, job, (n) => ({
    v: 1,
    model,
    release: n,
    variants: { fp32: { sha256, bytes: graph.length } },
    signature: { inputs: copied(inputs), outputs: copied(outputs) },
    metrics: {},
    lineage: { job, dataset: { name: 'mnist', version: 1 }, graph: sha256 },
    createdAt: new Date().toISOString(),
  }));
  await moveChannel(store, model, 'stable', number, new Date());
}

const cores = availableParallelism();
const held = memoryStore();
const manifest = await importMnist(held);
const { rows = 0 } = manifest.splits[SPLIT] ?? {};
const images = await readRows(held, manifest, SPLIT, { start: 0, end: rows });
const { spec, data } = images.tensors['image']!;
const input = modelInput({ ...spec, shape: [rows, ...spec.shape], data }, 'F32').data as Float32Array;
const loopOf = (model: Uint8Array<ArrayBuffer>) => ({
  model,
  rows: input,
  shape: spec.shape,
  batchSize: BATCH_SIZE,
});

console.log(`MNIST, ${count(rows)} rows, batches of ${BATCH_SIZE}, median of ${TURNS} turns.`);
// First, while nothing else runs in this process: its CPU time is then the function's.
if (isAsked('function')) {
  const lines: string[][] = [];
  for (const [title, graph] of Object.entries(MODELS))
    for (const format of FORMATS) {
      const turns: FunctionRates[] = [];
      for (let turn = 0; turn < TURNS; turn++)
        turns.push(await functionRates({ loop: loopOf(graph), images, format }));
      const [bare, whole] = [median(turns.map((each) => each.bare))!, median(turns.map((each) => each.job))!];
      lines.push([title, format, count(bare), count(whole), percent(whole / bare)]);
    }
  console.log('Rows to a second of CPU time, of one function with a store in memory:');
  console.log(table(['MODEL', 'FORMAT', 'BARE LOOP', 'FUNCTION', 'RATIO'], lines));
}
if (isAsked('job') || isAsked('long')) await throughStack();

async function throughStack(): Promise<void> {
  const stateDir = join(tmpdir(), `causeway-bench-batch-${process.pid}`);
  const stack = await startStack({ stateDir, port: 0 });
  try {
    const { any } = createClient(stack.routerUrl);
    let datasets = 0;
    const imported = async (times: number): Promise<string> => {
      datasets += 1;
      const dataset = await importRows(stack.store, images, { times, by: datasets });
      // What the import left to collect and to write to the disk is not the job's.
      await setTimeout(SETTLING_MS);
      return dataset;
    };
    /** From the plan to the last byte written. */
    const job = async (model: string, format: OutputFormat, dataset: string): Promise<number> => {
      const request = {
        kind: 'batch',
        model: { name: model },
        dataset: { name: dataset },
        split: 'all',
        format,
      };
      const { job: id } = await any.createJob({ ...request, batchSize: BATCH_SIZE });
      const result = await any.follow(id, () => {});
      const view = await any.job(id);
      if (result.status !== 'succeeded' || view.kind !== 'batch') throw new Error(JSON.stringify(result));
      return view.rowsPerSecond;
    };
    const lines: Record<'job' | 'long', string[][]> = { job: [], long: [] };
    for (const [title, graph] of Object.entries(MODELS)) {
      const name = title.split(' ')[0]!;
      await release(stack.store, name, graph);
      for (const format of FORMATS) {
        // The first job starts the functions, loads the model, and has the format's code compiled.
        await job(name, format, await imported(1));
        for (const what of ['job', 'long'] as const) {
          if (!isAsked(what)) continue;
          const jobs: number[] = [];
          const loops: number[] = [];
          for (let turn = 0; turn < (what === 'long' ? LONG_TURNS : TURNS); turn++) {
            const dataset = await imported(what === 'long' ? LONG : 1);
            loops.push(await bareLoops(loopOf(graph), cores));
            jobs.push(await job(name, format, dataset));
          }
          const [bare, whole] = [median(loops)!, median(jobs)!];
          lines[what].push([title, format, count(bare), count(whole), percent(whole / bare)]);
        }
      }
    }
    const columns = ['MODEL', 'FORMAT', 'BARE LOOPS', 'JOB', 'RATIO'];
    console.log(
      `\nRows a second of the clock, ${cores} cores, the whole way from the plan to the last byte written:`,
    );
    if (isAsked('job')) console.log(table(columns, lines.job));
    if (isAsked('long')) {
      console.log(`The same with ${count(LONG * rows)} rows, ${LONG_TURNS} turns:`);
      console.log(table(columns, lines.long));
    }
  } finally {
    await stack.stop();
    await rm(stateDir, { recursive: true, force: true });
  }
}
