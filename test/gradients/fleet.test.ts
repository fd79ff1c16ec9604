/** A job's tasks as the fleet handles them, in this process: what the spec says of parameters and steps is what happens. */
import { beforeEach, describe, expect, it } from 'vitest';
import { nativeRuntime } from '../../cloud/adapters/onnxruntime.ts';
import { recent, shardCache } from '../../cloud/training/caches.ts';
import { dispatch } from '../../cloud/training/dispatch.ts';
import type { TrainingProgram } from '../../cloud/training/engine/program.ts';
import { JobPlan, JobResult, RoundCommit, type TrainRequest } from '../../core/contracts/job.ts';
import { jobPlanKey, jobResultKey, roundCommitKey, shardPartKey } from '../../core/contracts/keys.ts';
import type { Task } from '../../core/contracts/task.ts';
import { acceptJob } from '../../core/jobs/accept.ts';
import { decodeModel } from '../../core/onnx/model.ts';
import { tensorValue } from '../../core/onnx/tensor.ts';
import { getBlob } from '../../core/storage/blobs.ts';
import { getJson } from '../../core/storage/json.ts';
import { memoryStore, type MemoryStore } from '../unit/memory-store.ts';
import { GRAPH, NOW, signJob } from './sign-job.ts';

const ROWS = 120;

let store: MemoryStore;
let spec: TrainRequest;

beforeEach(async () => {
  store = memoryStore();
  spec = {
    ...(await signJob(store, ROWS)),
    shards: 2,
    epochs: 4,
    batchSize: 5,
    strategy: { kind: 'local-sgd', localSteps: 5 },
  };
});

/** Handles every task until none is left; watches, which only look after lost messages, are dropped. */
async function train(
  change: Partial<TrainRequest>,
  job = 'job_00000001',
  remainingMs?: () => () => number,
): Promise<{ plan: JobPlan | undefined; result: JobResult }> {
  const tasks: Task[] = [];
  const queue = {
    send: (sent: readonly Task[]) => {
      tasks.push(...sent.filter(({ kind }) => kind !== 'watch'));
      return Promise.resolve();
    },
  };
  const programs = recent<Promise<TrainingProgram>>(8);
  const caches = {
    rows: shardCache(1e6),
    programs,
    sessions: recent<never>(1),
    states: recent<never>(4),
    documents: recent(64),
  };
  const context = { store, queue, runtime: nativeRuntime(), now: () => NOW, watchSeconds: 1, caches };
  await acceptJob(store, queue, { ...spec, ...change }, { job, now: NOW });
  for (let task = tasks.shift(); task !== undefined; task = tasks.shift())
    await dispatch(context, JSON.stringify(task), {
      messageId: 'm',
      redelivered: false,
      lastChance: true,
      ...(remainingMs === undefined ? {} : { remainingMs: remainingMs() }),
    });
  const result = await getJson(store, jobResultKey(job), JobResult);
  if (result === undefined) throw new Error('the job has not ended');
  return { plan: await getJson(store, jobPlanKey(job), JobPlan), result };
}

async function released(result: JobResult): Promise<Map<string, unknown>> {
  if (result.status !== 'succeeded') throw new Error(JSON.stringify(result));
  const { graph } = decodeModel(await getBlob(store, result.graph));
  return new Map(graph.initializer.map((tensor) => [tensor.name, tensorValue(tensor).data]));
}

describe('a job', () => {
  it('with everything there is to say about its steps learns, and freezes what it is told to', async () => {
    const { plan, result } = await train({
      optimizer: { kind: 'adamw', learningRate: 0.05 },
      schedule: { kind: 'cosine', warmupSteps: 3, floor: 0.1 },
      clipNorm: 1,
      accumulate: 2,
      parameters: { freeze: ['layer1.*'], weightDecay: [{ match: '*.bias', value: 0 }] },
    });
    // 60 rows a shard, 10 to a step.
    expect(plan).toMatchObject({ stepsPerEpoch: 6, steps: 24, localSteps: 5, rounds: 5 });
    expect(plan?.parameters.map(({ name, weightDecay }) => [name, weightDecay])).toEqual([
      ['layer2.weight', undefined],
      ['layer2.bias', 0],
    ]);
    expect(result.status === 'succeeded' && result.metrics['accuracy']).toBeGreaterThan(0.9);
    const before = new Map(
      decodeModel(GRAPH).graph.initializer.map((each) => [each.name, tensorValue(each).data]),
    );
    const after = await released(result);
    for (const [name, values] of before)
      if (name.startsWith('layer1.')) expect(after.get(name)).toEqual(values);
      else expect(after.get(name)).not.toEqual(values);
  });

  it('is the same a second time', async () => {
    const [once, again] = [await train({}), await train({}, 'job_00000002')];
    expect(await released(again.result)).toEqual(await released(once.result));
  });

  it('handed on from function to function in the middle of its rounds ends with the same bits', async () => {
    // Each look at the clock finds two of sixteen seconds gone: a few steps, then a checkpoint.
    const clock = () => {
      let left = 18_000;
      return () => (left -= 2_000);
    };
    const change = { accumulate: 2, optimizer: { kind: 'adam' }, clipNorm: 0.5 } as const;
    const [whole, handed] = [await train(change), await train(change, 'job_00000002', clock)];
    expect(await released(handed.result)).toEqual(await released(whole.result));
    for (let round = 0; round < (whole.plan?.rounds ?? 0); round++) {
      const [a, b] = await Promise.all(
        ['job_00000001', 'job_00000002'].map((job) =>
          getJson(store, roundCommitKey(job, round), RoundCommit),
        ),
      );
      expect(b?.shards.map(({ sha256 }) => sha256)).toEqual(a?.shards.map(({ sha256 }) => sha256));
      expect([b?.loss, b?.metrics]).toEqual([a?.loss, a?.metrics]);
    }
    expect(await store.head(shardPartKey('job_00000002', 0, 0, 1))).toBeDefined();
    expect(await store.head(shardPartKey('job_00000001', 0, 0, 1))).toBeUndefined();
  });

  it.each<[string, Partial<TrainRequest>]>([
    ['clipping', { clipNorm: 0.01 }],
    ['accumulation', { accumulate: 3 }],
    ['decay by name', { parameters: { weightDecay: [{ match: '*', value: 0.5 }] } }],
    ['the schedule', { schedule: { kind: 'step', every: 4, factor: 0.5 } }],
    ['the optimizer', { optimizer: { kind: 'lion' } }],
  ])('is changed by %s', async (_, change) => {
    const usual: Partial<TrainRequest> = { optimizer: { kind: 'sgd', learningRate: 0.1 } };
    const plain = await released((await train(usual)).result);
    const changed = await released((await train({ ...usual, ...change }, 'job_00000002')).result);
    expect(changed.get('layer2.weight')).not.toEqual(plain.get('layer2.weight'));
  });

  it('that freezes everything fails, and says so by field', async () => {
    const { result } = await train({ parameters: { freeze: ['*'] } });
    expect(result).toMatchObject({
      status: 'failed',
      field: 'parameters',
      reason: 'plan: parameters: nothing is left to train',
    });
  });
});
