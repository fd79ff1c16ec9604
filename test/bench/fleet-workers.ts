/**
 * `npm run bench:workers [-- <repetitions>]`: the same training job on the whole local stack with one function worker and
 * with two, by turns: throughput through jobs API, queue and store, their ratio, and what a round takes beside computing.
 * What two cores give at most is measured too: the job's own steps in one thread, and in two side by side.
 * Ends with an error where two workers train less than 1.6 times as fast as one.
 */
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RoundCommit, type TrainRequest } from '../../core/contracts/job.ts';
import { roundCommitKey } from '../../core/contracts/keys.ts';
import { median } from '../../core/median.ts';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { putBlob } from '../../core/storage/blobs.ts';
import { getJson } from '../../core/storage/json.ts';
import { createClient } from '../../infra/cli/client.ts';
import { importMnist, mnistJob } from '../../infra/cli/mnist.ts';
import { count, duration, table } from '../../infra/cli/output.ts';
import { tryJob } from '../../infra/cli/planning/trial.ts';
import { type Stack, startStack } from '../../infra/local/stack.ts';

const GOAL = 1.6;
const WORKERS = [1, 2] as const;
const REPETITIONS = Number(process.argv[2] ?? 3);

/** The main job, whose rounds are short, and one that computes for seconds between two meetings. */
async function jobs(stack: Stack): Promise<readonly (readonly [name: string, request: TrainRequest])[]> {
  const manifest = await importMnist(stack.store);
  const main = await mnistJob(stack.store, manifest);
  const wide = buildMlp({
    inputs: 784,
    hidden: [512, 256],
    classes: 10,
    seed: 0,
    inputName: 'image',
    outputName: 'probabilities',
  });
  return [
    ['main job: 784-128-10, local SGD, H 235, 4 shards', main],
    [
      '784-512-256-10, DiLoCo in fp16, H 938, 2 shards',
      {
        ...main,
        model: { name: 'wide', graph: await putBlob(stack.store, wide) },
        strategy: { kind: 'diloco', localSteps: 938, outer: { learningRate: 0.7, momentum: 0.5 } },
        compression: { values: 'fp16', download: 'fp16' },
        epochs: 3,
        shards: 2,
      },
    ],
  ];
}

interface Run {
  /** From the request to the result. */
  readonly seconds: number;
  readonly samples: number;
  readonly rounds: number;
  /** From commit to commit: of all rounds but the first, which also starts the job. */
  readonly roundSeconds: number;
}

async function run(stack: Stack, request: TrainRequest): Promise<Run> {
  const client = createClient(stack.routerUrl);
  const began = performance.now();
  const { job } = await client.createJob(request);
  const result = await client.follow(job, () => {});
  const seconds = (performance.now() - began) / 1000;
  if (result.status !== 'succeeded') throw new Error(JSON.stringify(result));
  const { samples, rounds } = await client.job(job);
  const at = async (round: number) => {
    const commit = await getJson(stack.store, roundCommitKey(job, round), RoundCommit);
    return Date.parse(commit!.committedAt) / 1000;
  };
  const roundSeconds = ((await at(rounds - 1)) - (await at(0))) / (rounds - 1);
  return { seconds, samples, rounds, roundSeconds };
}

const folder = join(tmpdir(), `causeway-bench-${process.pid}`);
const stacks: Stack[] = [];
try {
  for (const fleet of WORKERS)
    stacks.push(await startStack({ stateDir: join(folder, String(fleet)), port: 0, fleet }));
  const given = await Promise.all(stacks.map(jobs));
  const rows = [];
  for (const [i, [name, request]] of given[0]!.entries()) {
    const runs: Run[][] = WORKERS.map(() => []);
    // The first ones start functions and compile.
    for (let left = REPETITIONS + 1; left > 0; left--)
      for (const [w, stack] of stacks.entries()) {
        const done = await run(stack, given[w]![i]![1]);
        if (left <= REPETITIONS) runs[w]!.push(done);
      }
    const { job, slowdown } = await tryJob(stacks[0]!.store, request, { besides: WORKERS });
    const typical = (of: (run: Run) => number, w: number) => median(runs[w]!.map(of))!;
    const rate = WORKERS.map((_, w) => typical(({ samples, seconds }) => samples / seconds, w));
    const { shards = 4 } = request;
    const localSteps =
      request.strategy !== undefined && 'localSteps' in request.strategy ? request.strategy.localSteps! : 1;
    const step = WORKERS.map((workers) => job.seconds.step * slowdown(workers));
    const overhead = WORKERS.map(
      (workers, w) =>
        typical(({ roundSeconds }) => roundSeconds, w) - (shards / workers) * localSteps * step[w]!,
    );
    const ratio = rate[1]! / rate[0]!;
    const rounds =
      typical(({ roundSeconds }) => roundSeconds, 0) / typical(({ roundSeconds }) => roundSeconds, 1);
    rows.push({ name, ratio });
    console.log(name);
    console.log(
      table(
        ['WORKERS', 'SECONDS', 'SAMPLES/S', 'ROUNDS', 'A ROUND', 'A STEP', 'OVERHEAD OF A ROUND'],
        WORKERS.map((workers, w) => [
          workers,
          duration(typical(({ seconds }) => seconds, w)),
          count(rate[w]!),
          runs[w]![0]!.rounds,
          duration(typical(({ roundSeconds }) => roundSeconds, w)),
          `${(step[w]! * 1000).toFixed(2)} ms`,
          duration(overhead[w]!),
        ]),
      ),
    );
    console.log(
      `two workers: ${ratio.toFixed(2)} × one's throughput, ${rounds.toFixed(2)} × in rounds alone; ` +
        `steps alone, without queue and store: ${((2 * step[0]!) / step[1]!).toFixed(2)} ×\n`,
    );
  }
  const good = rows.filter(({ ratio }) => ratio >= GOAL);
  console.log(`at least ${GOAL} ×: ${good.map(({ name }) => name).join(' | ') || 'none'}`);
  if (good.length === 0) process.exitCode = 1;
} finally {
  await Promise.all(stacks.map((stack) => stack.stop()));
  await rm(folder, { recursive: true, force: true });
}
