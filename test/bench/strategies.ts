/**
 * `npm run bench:strategies [-- <part of a row's name>]`: MNIST on 8 shards by every strategy and compression, through
 * the fleet's own handlers over a store and a queue in this process: test accuracy, and the bytes of the objects that
 * the tasks exchange. Ends with an error where none moves 200 times fewer than per-step averaging at 0.3 points lost.
 */
import { JobPlan, RoundCommit, type TrainRequest } from '../../core/contracts/job.ts';
import { blobKey, jobPlanKey, roundCommitKey, shardUpdateKey } from '../../core/contracts/keys.ts';
import type { Task } from '../../core/contracts/task.ts';
import { getJson } from '../../core/storage/json.ts';
import { sumTraffic } from '../../core/strategies/traffic.ts';
import { ACCURACY_GOAL, importMnist, mnistJob } from '../../infra/cli/mnist.ts';
import { count, duration, percent, table } from '../../infra/cli/output.ts';
import { runInProcess } from '../in-process-fleet.ts';
import { memoryStore, type MemoryStore } from '../unit/memory-store.ts';

const SHARDS = 8;
/** As many steps a shard as the main job's four take in five epochs. */
const EPOCHS = 10;
const MOST_POINTS_LOST = 0.3;
const TIMES_FEWER = 200;

/** 60,000 rows by 8 shards by 32. */
const EPOCH = 235;
const HALF = 118;

type Row = readonly [
  name: string,
  strategy: NonNullable<TrainRequest['strategy']>,
  compression?: TrainRequest['compression'],
];
const RESET = { kind: 'local-sgd', localSteps: EPOCH, optimizerState: 'reset' } as const;
const DILOCO = { kind: 'diloco', localSteps: HALF, outer: { learningRate: 0.7, momentum: 0.5 } } as const;
const BASELINE: Row = ['all-reduce', { kind: 'all-reduce' }];
const ROWS: readonly Row[] = [
  ['local-sgd, H 235', { kind: 'local-sgd', localSteps: EPOCH }],
  ['local-sgd reset, H 235', RESET],
  ['local-sgd reset, H 235; fp16, down fp16', RESET, { values: 'fp16', download: 'fp16' }],
  [
    'local-sgd reset, H 235; int8, no feedback, down fp16',
    RESET,
    { values: 'int8', errorFeedback: false, download: 'fp16' },
  ],
  ['local-sgd reset, H 235; int8, down fp16', RESET, { values: 'int8', download: 'fp16' }],
  [
    'local-sgd reset, H 118; int8, down int8',
    { ...RESET, localSteps: HALF },
    { values: 'int8', download: 'int8' },
  ],
  ['local-sgd reset, H 235; 4 mergers', { ...RESET, mergers: 4 }],
  ['DiLoCo 0.7 0.9, H 118', { ...DILOCO, outer: { learningRate: 0.7, momentum: 0.9 } }],
  ['DiLoCo 0.7 0.5, H 118', DILOCO],
  ['DiLoCo 0.7 0.5, H 118; int8, down fp16', DILOCO, { values: 'int8', download: 'fp16' }],
  [
    'DiLoCo 0.7 0.5, H 118; top 25 % in int8, down fp16',
    DILOCO,
    { values: 'int8', topK: { fraction: 0.25 }, download: 'fp16' },
  ],
  ['bounded staleness 1, H 59', { kind: 'bounded-staleness', localSteps: 59, staleness: 1 }],
];

interface Outcome {
  readonly name: string;
  readonly accuracy: number;
  readonly rounds: number;
  /** Bytes per epoch, from and to shards, and those of the merges. */
  readonly up: number;
  readonly down: number;
  readonly merges: number;
  readonly seconds: number;
}

/** States and updates of rounds long merged: a bucket keeps them, memory cannot. */
async function forget(store: MemoryStore, job: string, round: number): Promise<void> {
  const plan = await getJson(store, jobPlanKey(job), JobPlan);
  const commit = await getJson(store, roundCommitKey(job, round), RoundCommit);
  if (commit === undefined || plan === undefined) return;
  const parts = [{ sha256: commit.state }, commit.model, ...(commit.residuals ?? [])];
  const blobs = parts.flatMap((part) => (part === undefined || part === null ? [] : [blobKey(part.sha256)]));
  const updates = plan.shards.map((_, shard) => shardUpdateKey(job, round, shard));
  await Promise.all([...blobs, ...updates].map((key) => store.delete(key)));
}

async function measure(
  store: MemoryStore,
  spec: TrainRequest,
  [name, strategy, compression]: Row,
  n: number,
) {
  const job = `job_${String(n).padStart(8, '0')}`;
  const began = performance.now();
  const forgotten = new Set<number>();
  const onTask = async (task: Task) => {
    if (task.kind !== 'shard' || task.round < 4 || forgotten.has(task.round)) return;
    forgotten.add(task.round);
    await forget(store, job, task.round - 4);
  };
  const { result, commits, plan } = await runInProcess(
    store,
    { ...spec, strategy, ...(compression === undefined ? {} : { compression }) },
    { job, onTask },
  );
  if (result.status !== 'succeeded') throw new Error(JSON.stringify(result));
  const bytes = sumTraffic(commits.map((commit) => commit.bytes));
  if (bytes === null) throw new Error('a round was not counted');
  return {
    name,
    accuracy: result.metrics['accuracy'] ?? 0,
    rounds: plan.rounds,
    up: bytes.up / EPOCHS,
    down: bytes.down / EPOCHS,
    merges: (bytes.mergeRead + bytes.mergeWritten) / EPOCHS,
    seconds: (performance.now() - began) / 1000,
  } satisfies Outcome;
}

const wanted = process.argv[2] ?? '';
const store = memoryStore();
const manifest = await importMnist(store);
const spec = { ...(await mnistJob(store, manifest)), shards: SHARDS, epochs: EPOCHS };

const rows = [BASELINE, ...ROWS.filter(([name]) => name.includes(wanted))];
const outcomes: Outcome[] = [];
for (const [n, row] of rows.entries()) {
  const outcome = await measure(store, spec, row, n);
  console.error(`${outcome.name}: ${percent(outcome.accuracy)} in ${duration(outcome.seconds)}`);
  outcomes.push(outcome);
}
const [baseline] = outcomes;
if (baseline === undefined) throw new Error('nothing was measured');
const moved = ({ up, down }: Outcome) => up + down;
const lost = ({ accuracy }: Outcome) => (baseline.accuracy - accuracy) * 100;
const fewer = (outcome: Outcome, of: (each: Outcome) => number) => of(baseline) / of(outcome);
const all = (outcome: Outcome) => moved(outcome) + outcome.merges;
const mega = (bytes: number) => (bytes / 1e6).toFixed(2);

console.log(
  `MNIST, 784-128-10, Adam, batch 32, ${EPOCHS} epochs, ${SHARDS} shards; MB = 10⁶ bytes per epoch`,
);
console.log(
  table(
    ['STRATEGY', 'ACCURACY', 'LOST', 'ROUNDS', 'UP', 'DOWN', 'FEWER', 'MERGES', 'FEWER IN ALL'],
    outcomes.map((outcome) => [
      outcome.name,
      percent(outcome.accuracy),
      lost(outcome).toFixed(2),
      outcome.rounds,
      mega(outcome.up),
      mega(outcome.down),
      `${count(fewer(outcome, moved))} ×`,
      mega(outcome.merges),
      `${count(fewer(outcome, all))} ×`,
    ]),
  ),
);
const good = outcomes.filter(
  (outcome) =>
    outcome.accuracy >= ACCURACY_GOAL &&
    lost(outcome) <= MOST_POINTS_LOST &&
    fewer(outcome, moved) >= TIMES_FEWER &&
    fewer(outcome, all) >= TIMES_FEWER,
);
console.log(
  `${TIMES_FEWER} times fewer bytes at ${MOST_POINTS_LOST} points and at least ${percent(ACCURACY_GOAL)}: ` +
    (good.length === 0 ? 'none' : good.map(({ name }) => name).join(' | ')),
);
if (good.length === 0) process.exitCode = 1;
