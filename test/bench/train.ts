/**
 * `npm run bench:train`: the fleet, end to end through the jobs API, the queue and the store, beside one process that
 * trains the same model alone with the same engine on the same cores; and the ceiling a plain MatMul reaches.
 */
import { rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { OptimizerSpec } from '../../core/contracts/optimizer.ts';
import { readRows } from '../../core/datasets/read.ts';
import { createClient } from '../../infra/cli/client.ts';
import { importMnist, mnistJob } from '../../infra/cli/mnist.ts';
import { count, duration, percent, table } from '../../infra/cli/output.ts';
import { startStack } from '../../infra/local/stack.ts';
import { FLOPS_PER_SAMPLE, matmulGflops, trainAlone } from './single-process.ts';

const cores = availableParallelism();
const stateDir = join(tmpdir(), `causeway-bench-${process.pid}`);
const stack = await startStack({ stateDir, port: 0 });
try {
  const client = createClient(stack.routerUrl);
  const manifest = await importMnist(stack.store);
  const spec = await mnistJob(stack.store, manifest);
  const rows = await readRows(stack.store, manifest, 'train', { start: 0, end: 60_000 });
  const optimizer = OptimizerSpec.parse({ kind: 'adam', learningRate: 0.005 });
  const batchSize = spec.batchSize ?? 32;
  const epochs = spec.epochs ?? 5;

  const fleet = async () => {
    const began = performance.now();
    const { job } = await client.createJob(spec);
    const result = await client.follow(job, () => {});
    const seconds = (performance.now() - began) / 1000;
    if (result.status !== 'succeeded') throw new Error(JSON.stringify(result));
    const view = await client.job(job);
    return {
      seconds,
      samplesPerSecond: view.samples / seconds,
      rounds: view.rounds,
      accuracy: result.metrics['accuracy'] ?? 0,
    };
  };
  const alone = (threads: number) =>
    trainAlone({
      images: rows.tensors['image']!.data as Uint8Array,
      labels: rows.tensors['label']!.data as Uint8Array,
      batchSize,
      epochs,
      optimizer,
      threads,
    });

  const cold = await fleet();
  const one = await alone(1);
  const warm = await fleet();
  const all = await alone(cores);
  const best = Math.max(one.samplesPerSecond, all.samplesPerSecond);
  const gflops = await matmulGflops();
  const rate = (samplesPerSecond: number) => [
    count(samplesPerSecond),
    ((samplesPerSecond * FLOPS_PER_SAMPLE) / 1e9).toFixed(1),
    percent(samplesPerSecond / best),
  ];
  console.log(`MNIST, 784-128-10, Adam, batch ${batchSize}, ${epochs} epochs, ${cores} cores`);
  console.log(
    table(
      ['', 'SECONDS', 'SAMPLES/S', 'GFLOP/S', 'OF ONE PROCESS'],
      [
        [
          `fleet of ${stack.fleetSize}, first job (cold functions)`,
          duration(cold.seconds),
          ...rate(cold.samplesPerSecond),
        ],
        [`fleet of ${stack.fleetSize}, second job`, duration(warm.seconds), ...rate(warm.samplesPerSecond)],
        ['one process, 1 thread', duration(one.seconds), ...rate(one.samplesPerSecond)],
        [`one process, ${cores} threads`, duration(all.seconds), ...rate(all.samplesPerSecond)],
        ['plain MatMul, 1 thread', '', '', gflops.toFixed(1), ''],
      ],
    ),
  );
  console.log(
    `fleet, from the request to the released model: ${warm.rounds} rounds, ` +
      `${duration(warm.seconds / warm.rounds)} each; test accuracy ${percent(warm.accuracy)}`,
  );
} finally {
  await stack.stop();
  await rm(stateDir, { recursive: true, force: true });
}
