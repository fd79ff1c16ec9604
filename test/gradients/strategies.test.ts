/** Strategies and compression through the fleet's own handlers: what they compute, move, and survive. */
import { beforeEach, describe, expect, it } from 'vitest';
import { JobPlan, type RoundCommit, type TrainRequest } from '../../core/contracts/job.ts';
import { blobKey, jobPlanKey, shardUpdateKey } from '../../core/contracts/keys.ts';
import type { Task } from '../../core/contracts/task.ts';
import { encodeState } from '../../core/jobs/state.ts';
import { viewJob } from '../../core/jobs/view.ts';
import { createRandom } from '../../core/random.ts';
import { putBlob } from '../../core/storage/blobs.ts';
import { getJson } from '../../core/storage/json.ts';
import { decodeSafetensors, encodeSafetensors } from '../../core/tensors/safetensors.ts';
import { type Course, runInProcess } from '../in-process-fleet.ts';
import { memoryStore, type MemoryStore } from '../unit/memory-store.ts';
import { NOW, signJob } from './sign-job.ts';

const ROWS = 240;
const SHARDS = 3;

let store: MemoryStore;
let spec: TrainRequest;

beforeEach(async () => {
  store = memoryStore();
  spec = {
    ...(await signJob(store, ROWS)),
    optimizer: { kind: 'adam', learningRate: 0.03 },
    shards: SHARDS,
    epochs: 6,
    batchSize: 8,
  };
});

const states = ({ commits }: Course) => commits.map(({ state, bytes }) => ({ state, bytes }));
const graphOf = ({ result }: Course) => (result.status === 'succeeded' ? result.graph : result);
const DILOCO = { kind: 'diloco', localSteps: 10, outer: { learningRate: 0.7, momentum: 0.5 } } as const;
const RESET = { kind: 'local-sgd', localSteps: 10, optimizerState: 'reset' } as const;
const MOMENTUM = { kind: 'sgd', learningRate: 0.1, momentum: 0.8 } as const;

const CASES: [string, Partial<TrainRequest>][] = [
  ['all-reduce', { strategy: { kind: 'all-reduce' } }],
  [
    'all-reduce by two mergers, of the largest gradients with momentum correction',
    {
      strategy: { kind: 'all-reduce', mergers: 2 },
      optimizer: MOMENTUM,
      epochs: 3,
      compression: { topK: { fraction: 0.2 } },
    },
  ],
  ['local SGD by three mergers', { strategy: { kind: 'local-sgd', localSteps: 10, mergers: 3 } }],
  [
    'local SGD in int8, downloaded in fp16',
    { strategy: RESET, compression: { values: 'int8', download: 'fp16' } },
  ],
  ['DiLoCo', { strategy: DILOCO }],
  [
    'DiLoCo in fp16, downloaded in int8',
    { strategy: DILOCO, compression: { values: 'fp16', download: 'int8' } },
  ],
  [
    'DiLoCo by three mergers, of the largest changes in int8',
    {
      strategy: { ...DILOCO, mergers: 3 },
      compression: { values: 'int8', topK: { fraction: 0.3 }, download: 'fp16' },
    },
  ],
  ['bounded staleness', { strategy: { kind: 'bounded-staleness', localSteps: 5, staleness: 2 } }],
  [
    'bounded staleness by two mergers in int8',
    {
      strategy: { kind: 'bounded-staleness', localSteps: 5, staleness: 1, mergers: 2 },
      compression: { values: 'int8' },
    },
  ],
];

describe.each(CASES)('%s', (_, change) => {
  it('learns, and has the same bytes whatever is done twice, late or by functions that die', async () => {
    const undisturbed = await runInProcess(store, { ...spec, ...change });
    const { commits, plan, result } = undisturbed;
    expect(result.status === 'succeeded' && result.metrics['accuracy']).toBeGreaterThan(0.9);
    expect(commits).toHaveLength(plan.rounds);
    expect(new Set(commits.map(({ state }) => state)).size).toBe(plan.rounds);
    for (const seed of [1, 2]) {
      const job = `job_0000001${seed}`;
      const disturbed = await runInProcess(
        store,
        { ...spec, ...change },
        { job, disturb: createRandom(seed) },
      );
      expect(states(disturbed)).toEqual(states(undisturbed));
      expect(graphOf(disturbed)).toEqual(graphOf(undisturbed));
    }
  });

  it('counts the bytes of the objects there are', async () => {
    const { commits, plan } = await runInProcess(store, { ...spec, ...change });
    for (const commit of commits) await checkTraffic(commit, commits, plan);
    const view = await viewJob(store, plan.job, NOW);
    expect(view?.bytes?.up).toBe(commits.reduce((sum, { bytes }) => sum + bytes!.up, 0));
  });
});

async function sizeOf(key: string): Promise<number> {
  const info = await store.head(key);
  if (info === undefined) throw new Error(`no object ${key}`);
  return info.size;
}

/** Of a blob, and of those it names where there are several mergers. */
async function sizeOfBlob(sha256: string, { slices }: JobPlan): Promise<number> {
  const size = await sizeOf(blobKey(sha256));
  if (slices === undefined) return size;
  const { parts } = JSON.parse(new TextDecoder().decode((await store.get(blobKey(sha256)))!.body)) as {
    parts: { sha256: string }[];
  };
  expect(parts).toHaveLength(slices.length);
  const sizes = await Promise.all(parts.map((part) => sizeOf(blobKey(part.sha256))));
  return sizes.reduce((sum, each) => sum + each, size);
}

async function checkTraffic(commit: RoundCommit, commits: readonly RoundCommit[], plan: JobPlan) {
  const { round, job } = commit;
  let up = 0;
  let updates = 0;
  for (let shard = 0; shard < SHARDS; shard++) {
    const { body } = (await store.get(shardUpdateKey(job, round, shard)))!;
    const { parts = '[]', residual } = decodeSafetensors(body).metadata;
    updates += body.length;
    for (const { sha256 } of JSON.parse(parts) as { sha256: string }[])
      updates += await sizeOf(blobKey(sha256));
    if (residual !== undefined)
      up += await sizeOf(blobKey((JSON.parse(residual) as { sha256: string }).sha256));
  }
  const from = commits[round - 1 - (plan.staleness ?? 0)];
  const start =
    from === undefined
      ? (plan.initialModel?.sha256 ?? plan.initialState)
      : (from.model?.sha256 ?? from.state);
  const kept = from?.residuals?.map((part) => part?.bytes ?? 0).reduce((sum, bytes) => sum + bytes, 0) ?? 0;
  const written = [commit.state, ...(commit.model === undefined ? [] : [commit.model.sha256])];
  const sizes = await Promise.all(written.map((sha256) => sizeOfBlob(sha256, plan)));
  expect(commit.bytes).toEqual({
    up: up + updates,
    down: SHARDS * (await sizeOfBlob(start, plan)) + kept,
    mergeRead: expect.any(Number),
    mergeWritten: sizes.reduce((sum, size) => sum + size, 0),
  });
  expect(commit.bytes!.mergeRead).toBeGreaterThanOrEqual(updates);
}

describe('one shard', () => {
  it('trains as it would alone, whether it sends gradients or states, merged whole or in slices', async () => {
    const alone = { ...spec, shards: 1, clipNorm: 1, accumulate: 2 };
    const jobs: TrainRequest['strategy'][] = [
      { kind: 'local-sgd', localSteps: 7 },
      { kind: 'local-sgd', localSteps: 1, mergers: 4 },
      { kind: 'all-reduce' },
    ];
    const graphs = [];
    for (const [i, strategy] of jobs.entries())
      graphs.push(graphOf(await runInProcess(store, { ...alone, strategy }, { job: `job_0000000${i}` })));
    expect(graphs[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(new Set(graphs).size).toBe(1);
  });
});

describe('mergers', () => {
  it.each<[string, TrainRequest['strategy'] & { kind: string }]>([
    ['all-reduce', { kind: 'all-reduce' }],
    ['local SGD', { kind: 'local-sgd', localSteps: 10 }],
    ['DiLoCo', DILOCO],
  ])('of %s do together what one does', async (_, strategy) => {
    spec = { ...spec, epochs: 2 };
    const one = await runInProcess(store, { ...spec, strategy });
    const five = await runInProcess(
      store,
      { ...spec, strategy: { ...strategy, mergers: 5 } },
      { job: 'job_00000002' },
    );
    expect(five.plan.slices).toHaveLength(5);
    expect(graphOf(five)).toBe(graphOf(one));
    expect(five.commits.map(({ loss }) => loss)).toEqual(one.commits.map(({ loss }) => loss));
  });
});

describe('rounds that overlap', () => {
  it('are announced before the one before them is merged, and start from a state as old as allowed', async () => {
    const strategy = { kind: 'bounded-staleness', localSteps: 5, staleness: 2 } as const;
    const seen: Task[] = [];
    const { plan, commits } = await runInProcess(
      store,
      { ...spec, strategy },
      { onTask: (task) => seen.push(task), remainingMs: 30_000 },
    );
    expect(plan).toMatchObject({ staleness: 2, rounds: 12 });
    const at = (kind: Task['kind'], round: number) =>
      seen.findIndex((task) => task.kind === kind && 'round' in task && task.round === round);
    // The shards of the first three rounds come before any merge; then each merge lets one more begin.
    for (let round = 0; round < 3; round++) expect(at('shard', round)).toBeLessThan(at('merge', 0));
    expect(at('shard', 3)).toBeGreaterThan(at('merge', 0));
    for (const { round } of commits) {
      const { body } = (await store.get(shardUpdateKey(plan.job, round, 0)))!;
      const from = round < 3 ? plan.initialState : commits[round - 3]!.state;
      expect(decodeSafetensors(body).metadata['base']).toBe(from);
    }
  });
});

describe('a fleet that lost all its messages', () => {
  it.each<[string, Partial<TrainRequest>]>([
    ['one merger', { strategy: DILOCO, compression: { values: 'int8' } }],
    ['three mergers', { strategy: { ...DILOCO, mergers: 3 } }],
    ['overlapping rounds', { strategy: { kind: 'bounded-staleness', localSteps: 10, staleness: 2 } }],
    [
      'overlapping rounds of two mergers',
      { strategy: { kind: 'bounded-staleness', localSteps: 10, staleness: 1, mergers: 2 } },
    ],
  ])('goes on to the same bytes with %s, wherever it was', async (_, change) => {
    const undisturbed = await runInProcess(store, { ...spec, ...change, epochs: 3 });
    for (let loseAt = 1; loseAt <= 18; loseAt++) {
      const job = `job_000001${String(loseAt).padStart(2, '0')}`;
      const course = await runInProcess(store, { ...spec, ...change, epochs: 3 }, { job, loseAt });
      expect(states(course)).toEqual(states(undisturbed));
    }
  });
});

describe('a round that closes at its quorum', () => {
  it.each<[string, Partial<TrainRequest>]>([
    ['one merger', { strategy: DILOCO }],
    ['three mergers', { strategy: { ...DILOCO, mergers: 3 } }],
    ['overlapping rounds', { strategy: { kind: 'bounded-staleness', localSteps: 5, mergers: 2 } }],
  ])('says who was in, and the lost shard goes on with what it kept, with %s', async (_, change) => {
    const given = { ...spec, ...change, quorum: 2, epochs: 3, compression: { values: 'int8' } } as const;
    const isLost = (task: Task) => task.kind === 'shard' && task.shard === 1 && task.round === 2;
    const { commits, plan, result } = await runInProcess(store, given, { isLost });
    expect(result.status).toBe('succeeded');
    expect(commits.map(({ missing }) => missing)).toEqual(
      commits.map(({ round }) => (round === 2 ? [1] : undefined)),
    );
    const from = commits[1 - (plan.staleness ?? 0)];
    expect(commits[2]!.shards.map(({ shard }) => shard)).toEqual([0, 2]);
    expect(commits[2]!.residuals![1]).toEqual(from?.residuals?.[1]);
    expect(commits[2]!.residuals![0]).not.toEqual(from?.residuals?.[0]);
    const disturb = createRandom(4);
    const again = await runInProcess(store, given, { job: 'job_00000002', isLost, disturb });
    expect(states(again)).toEqual(states({ commits, plan, result }));
  });
});

describe('compression', () => {
  it('makes updates and downloads as much smaller as it says', async () => {
    const run = async (compression: TrainRequest['compression'], job: string) => {
      const { commits } = await runInProcess(
        store,
        { ...spec, strategy: DILOCO, ...(compression === undefined ? {} : { compression }) },
        { job },
      );
      return commits[1]!.bytes!;
    };
    // Headers are much of so small a model: what the tensors have is what is compared.
    const [plain, half, quarter] = [
      await run(undefined, 'job_00000001'),
      await run({ values: 'fp16', download: 'fp16' }, 'job_00000002'),
      await run({ values: 'int8', errorFeedback: false, download: 'int8' }, 'job_00000003'),
    ];
    const parameters = 4 * 24 + 24 + 24 * 2 + 2;
    for (const way of ['up', 'down'] as const) {
      expect(plain[way] - half[way]).toBeGreaterThan(SHARDS * parameters * 1.5);
      expect(half[way] - quarter[way]).toBeGreaterThan(SHARDS * parameters * 0.7);
    }
  });
});

describe('an update that is not finite', () => {
  it.each<[string, Partial<TrainRequest>]>([
    ['of states', {}],
    ['of changes', { strategy: { kind: 'diloco', localSteps: 10 } }],
    ['of slices', { strategy: { kind: 'diloco', localSteps: 10, mergers: 2 } }],
  ])('%s ends the job with the name of its shard', async (_, change) => {
    const poison = async (task: Task) => {
      if (task.kind !== 'shard' || task.shard !== 1) return;
      const plan = (await getJson(store, jobPlanKey(task.job), JobPlan))!;
      store.tamper(shardUpdateKey(task.job, 0, 1), await poisoned(plan, change));
    };
    const { result } = await runInProcess(store, { ...spec, ...change, epochs: 1 }, { onTask: poison });
    expect(result).toMatchObject({
      status: 'failed',
      reason: expect.stringMatching(/^merge \(round 0\): the update of shard 1 is not finite/),
    });
  });

  async function poisoned(plan: JobPlan, { strategy }: Partial<TrainRequest>): Promise<Uint8Array> {
    const length = plan.parameters.reduce((sum, slot) => sum + slot.length, 0);
    const bad = new Float32Array(length).fill(Infinity, 3, 4);
    const report = JSON.stringify({ shard: 1, samples: 80, count: 80, loss: 1, metrics: {} });
    const metadata = { base: plan.initialModel?.sha256 ?? plan.initialState, report };
    if (strategy === undefined)
      return encodeState({ parameters: bad, slots: { m: bad, v: bad } }, plan.parameters, metadata);
    const file = (start: number, end: number) =>
      ({ 'change.values': { dtype: 'F32', shape: [end - start], data: bad.slice(start, end) } }) as const;
    if (plan.slices === undefined) return encodeSafetensors(file(0, length), metadata);
    const parts = await Promise.all(
      plan.slices.map(async ({ start, end }) => {
        const bytes = encodeSafetensors(file(start, end));
        return { sha256: await putBlob(store, bytes), bytes: bytes.length };
      }),
    );
    return encodeSafetensors({}, { ...metadata, parts: JSON.stringify(parts) });
  }
});
