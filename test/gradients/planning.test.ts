/** What a job is predicted to ask for, beside what the fleet's own handlers ask for when they run it. */
import { expect, it } from 'vitest';
import { type TrainRequest, TrainSpec } from '../../core/contracts/job.ts';
import { columns } from '../../core/datasets/columns.ts';
import { importDataset } from '../../core/datasets/import.ts';
import { sumTraffic } from '../../core/strategies/traffic.ts';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { measureExchange } from '../../core/planning/exchange.ts';
import { localPlatform } from '../../core/planning/platform.ts';
import { simulate } from '../../core/planning/simulate.ts';
import { workloadOf } from '../../core/planning/workload.ts';
import { createRandom } from '../../core/random.ts';
import { forecast } from '../../infra/cli/planning/predict.ts';
import { putBlob } from '../../core/storage/blobs.ts';
import { runInProcess } from '../in-process-fleet.ts';
import { memoryStore } from '../unit/memory-store.ts';

const NOW = new Date('2026-01-02T03:04:05Z');
const ROWS = 240;
const GRAPH = buildMlp({ inputs: 4, hidden: [24], classes: 2, seed: 1, inputName: 'x', outputName: 'p' });
/** One function that takes no time, as the fleet of this process. */
const PLATFORM = {
  ...localPlatform({
    read: 0,
    write: 0,
    send: 0,
    bytesPerSecond: { read: 1e12, written: 1e12 },
    concurrency: 1,
  }),
  memoryGb: 0,
};

/** Rows that no model can tell apart. */
function noise(seed: number, rows: number, width: number) {
  const random = createRandom(seed);
  return columns({
    x: {
      spec: { dtype: 'F32', shape: [width] },
      data: Float32Array.from({ length: rows * width }, random.normal),
    },
    y: { spec: { dtype: 'U8', shape: [] }, data: Uint8Array.from({ length: rows }, () => random.below(2)) },
  });
}

const CASES: [string, Partial<TrainRequest>][] = [
  ['local SGD', { strategy: { kind: 'local-sgd', localSteps: 10 } }],
  ['local SGD by three mergers', { strategy: { kind: 'local-sgd', localSteps: 10, mergers: 3 } }],
  ['all-reduce', { strategy: { kind: 'all-reduce' }, epochs: 1 }],
  [
    'DiLoCo in int8, downloaded in fp16',
    {
      strategy: { kind: 'diloco', localSteps: 10 },
      compression: { values: 'int8', download: 'fp16' },
    },
  ],
  ['rounds that overlap', { strategy: { kind: 'bounded-staleness', localSteps: 10, staleness: 1 } }],
  ['twenty shards', { strategy: { kind: 'local-sgd', localSteps: 5 }, shards: 20, batchSize: 2 }],
];

it.each(CASES)('requests, invocations and bytes are those of the handlers: %s', async (_, given) => {
  const store = memoryStore();
  const split = noise(7, ROWS, 4);
  const splits = { train: split, test: split };
  const manifest = await importDataset(store, { name: 'd', splits, shards: 2, now: () => NOW });
  const request: TrainRequest = {
    kind: 'train',
    model: { name: 'm', graph: await putBlob(store, GRAPH) },
    dataset: { name: 'd', version: 1 },
    loss: { kind: 'softmax-cross-entropy', output: 'p', target: 'y' },
    optimizer: { kind: 'adam', learningRate: 0.03 },
    shards: 3,
    epochs: 4,
    batchSize: 8,
    ...given,
  };
  const { plan, commits, result } = await runInProcess(store, request);
  if (result.status !== 'succeeded') throw new Error(JSON.stringify(result));

  const spec = TrainSpec.parse(request);
  const filesOf = (name: 'train' | 'test') => manifest.splits[name]!.shards;
  const workload = workloadOf(
    {
      spec,
      files: filesOf('train'),
      testFiles: filesOf('test'),
      parameters: plan.parameters,
      graphBytes: 1,
      forwardBytes: 1,
      seconds: { step: 0, load: 0, plan: 0, release: 0 },
    },
    spec,
    await measureExchange(spec, plan.parameters, () => 0),
  );
  const { metered, bytes, rounds } = simulate(workload, PLATFORM, 1);
  expect(rounds).toBe(plan.rounds);
  const { functionSeconds: _seconds, dollars: _dollars, gbSeconds: _memory, ...counts } = result.spent!;
  expect(metered).toMatchObject(counts);
  const moved = sumTraffic(commits.map((commit) => commit.bytes))!;
  for (const way of ['up', 'down', 'mergeRead', 'mergeWritten'] as const)
    expect(Math.abs(bytes[way] / moved[way] - 1), way).toBeLessThan(0.05);
});

/** Of a machine that does other things too: the best of so many. */
const TRIES = 12;

it('function-seconds and dollars are predicted within 20 % from steps measured here', async () => {
  const store = memoryStore();
  const split = noise(3, 2_000, 64);
  await importDataset(store, { name: 'd', splits: { train: split, test: split }, shards: 2, now: () => NOW });
  const graph = buildMlp({ inputs: 64, hidden: [256], classes: 2, seed: 1, inputName: 'x', outputName: 'p' });
  const request: TrainRequest = {
    kind: 'train',
    model: { name: 'm', graph: await putBlob(store, graph) },
    dataset: { name: 'd', version: 1 },
    loss: { kind: 'softmax-cross-entropy', output: 'p', target: 'y' },
    optimizer: { kind: 'adam', learningRate: 0.001 },
    strategy: { kind: 'local-sgd', localSteps: 100 },
    shards: 3,
    epochs: 12,
    batchSize: 16,
  };
  const memoryGb = 1769 / 1024;
  const place = { platform: { ...PLATFORM, memoryGb }, beside: 1 };
  const off: number[] = [];
  for (let i = 0; i < TRIES && !off.some((error) => error <= 0.2); i++) {
    const {
      rows: [prediction],
    } = await forecast(store, request, place, { shards: [3] });
    const job = `job_0000000${i}`;
    const { result } = await runInProcess(store, request, { job, now: () => new Date(), memoryGb });
    if (result.status !== 'succeeded') throw new Error(JSON.stringify(result));
    const { metered } = prediction!;
    const error = (of: (usage: typeof metered) => number) => Math.abs(of(metered) / of(result.spent!) - 1);
    // The more releases there are the more is asked for where they end.
    if (i === 0) expect(metered.reads).toBe(result.spent!.reads);
    off.push(
      Math.max(
        error((usage) => usage.functionSeconds),
        error((usage) => usage.dollars),
      ),
    );
  }
  expect(Math.min(...off)).toBeLessThanOrEqual(0.2);
});
