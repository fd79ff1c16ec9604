/** The protocol of docs/protocol.md, checked on the handlers that ship: every way within bounds, and many by chance. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { JobPlan, JobResult, RoundCommit, type TrainRequest } from '../../../core/contracts/job.ts';
import {
  jobPlanKey,
  jobResultKey,
  releaseKey,
  roundCommitKey,
  shardUpdateKey,
} from '../../../core/contracts/keys.ts';
import type { Task } from '../../../core/contracts/task.ts';
import { decodeState, encodeState } from '../../../core/jobs/state.ts';
import { createRandom } from '../../../core/random.ts';
import { meanState } from '../../../core/strategies/merging.ts';
import { memoryStore } from '../memory-store.ts';
import { accept, JOB, prepare, rememberingQueue, standInProgram } from '../fleet/world.ts';
import { explore, type Faults, finish, wander } from './explore.ts';
import { createModel, type Model, type Stored, type World } from './model.ts';

/** More of everything, minutes of it: `CAUSEWAY_PROTOCOL=deep npx vitest run --project unit test/unit/protocol`. */
const DEEP = process.env['CAUSEWAY_PROTOCOL'] === 'deep';

beforeAll(() => {
  // The same bytes without the thread pool: which of two hashes is ready first must not decide anything here.
  vi.spyOn(crypto.subtle, 'digest').mockImplementation((_, data) =>
    Promise.resolve(
      new Uint8Array(
        createHash('sha256')
          .update(data as Uint8Array)
          .digest(),
      ).buffer,
    ),
  );
});
afterAll(() => void vi.restoreAllMocks());

const decoder = new TextDecoder();
const json = (stored: Stored | undefined): unknown =>
  stored === undefined ? undefined : JSON.parse(decoder.decode(stored.body));

interface Course {
  readonly accepted: World;
  readonly planned: World;
  readonly plan: JobPlan;
  readonly quorum: number;
  readonly graph: string;
  readonly states: readonly string[];
}

async function objectsOf(store: ReturnType<typeof memoryStore>): Promise<Map<string, Stored>> {
  const objects = new Map<string, Stored>();
  for (const { key } of (await store.list('')).objects) objects.set(key, (await store.get(key))!);
  return objects;
}

/** The job before its plan, after it, and how it ends where nothing goes wrong. */
async function prepareCourse(change: Partial<TrainRequest>): Promise<Course> {
  const store = memoryStore();
  const queue = rememberingQueue();
  await accept(store, queue, await prepare(store, change));
  const accepted = {
    objects: await objectsOf(store),
    queue: queue.sent.map(({ task }) => ({ task, receives: 1 })),
  };
  // Planning asks only for the layout of the parameters what the stand-in needs of them.
  const scout = createModel(standInProgram([]), 'writes');
  const planTask = accepted.queue.find(({ task }) => task.kind === 'plan')!;
  let progress = await scout.start({ ...accepted, queue: [] }, planTask);
  while (progress.kind === 'waits') progress = await scout.step(progress.world, progress.execution);
  const planned = progress.world;
  const plan = JobPlan.parse(json(planned.objects.get(jobPlanKey(JOB))));
  const last = await finish(modelOf(plan), planned);
  const result = JobResult.parse(json(last.objects.get(jobResultKey(JOB))));
  if (result.status !== 'succeeded') throw new Error(JSON.stringify(result));
  const states = Array.from({ length: plan.rounds }, (_, round) => commitOf(last, round)!.state);
  const quorum = change.quorum ?? plan.shards.length;
  return { accepted, planned, plan, quorum, graph: result.graph, states };
}

const modelOf = (plan: JobPlan, pauseAt: 'writes' | 'requests' = 'writes'): Model =>
  createModel(standInProgram(plan.parameters), pauseAt);

function commitOf({ objects }: World, round: number): RoundCommit | undefined {
  const stored = objects.get(roundCommitKey(JOB, round));
  return stored === undefined ? undefined : RoundCommit.parse(json(stored));
}

/** A commit's state is what its own list of updates makes, and with all in the one that every way leads to. */
function checkCommits({ plan, states, quorum }: Course, world: World): void {
  for (let round = 0; round < plan.rounds; round++) {
    const commit = commitOf(world, round);
    if (commit === undefined) break;
    if (quorum === plan.shards.length) expect(commit.missing).toBeUndefined();
    expect(commit.shards.length).toBeGreaterThanOrEqual(quorum);
    if (commit.missing === undefined && sameBefore(world, round, states))
      expect(commit.state).toBe(states[round]);
    const updates = commit.shards.map(({ shard, samples, count }) => {
      const { body } = world.objects.get(shardUpdateKey(JOB, round, shard))!;
      const { parameters, slots } = decodeState(body, plan.parameters, ['m', 'v']);
      return { shard, samples, count, vectors: { parameters, ...slots } };
    });
    const merged = meanState(['m', 'v']).merge({
      state: { parameters: new Float32Array(0), slots: {} },
      updates: updates.toReversed(),
      trained: updates[0]!.vectors.parameters.length,
      step: 0,
      steps: 1,
    });
    expect(createHash('sha256').update(encodeState(merged, plan.parameters)).digest('hex')).toBe(
      commit.state,
    );
  }
}

/**
 * Watches stay one chain: of a number there is one message, and one more for each fault that had one handed out or sent
 * again, however many looks there were. The watch that came with the acceptance is of the first number too.
 */
function checkWatches({ queue }: World, { kills, duplicates }: Faults): void {
  const numbers = queue.flatMap(({ task }) =>
    task.kind === 'watch' ? [`round ${task.round}, look ${task.number ?? 1}`] : [],
  );
  for (const [number, watches] of Object.entries(Object.groupBy(numbers, (each) => each)))
    expect(watches!.length, number).toBeLessThanOrEqual(2 + kills + duplicates);
}

const sameBefore = (world: World, round: number, states: readonly string[]) =>
  round === 0 || commitOf(world, round - 1)?.state === states[round - 1];

function checkEnd(course: Course, world: World): void {
  const result = JobResult.parse(json(world.objects.get(jobResultKey(JOB))));
  expect(result).toMatchObject({ status: 'succeeded', release: 1 });
  const all = Array.from({ length: course.plan.rounds }, (_, round) => commitOf(world, round));
  if (all.every((commit) => commit !== undefined && commit.missing === undefined))
    expect(result).toMatchObject({ graph: course.graph });
  expect(world.objects.has(releaseKey('m', 2))).toBe(false);
}

interface Case {
  readonly name: string;
  readonly spec: Partial<TrainRequest>;
  readonly from: 'accepted' | 'planned';
  readonly faults: Faults;
  readonly concurrency: number;
  readonly deep?: true;
  /** A message that nobody sends at that time, or that was left over from before. */
  readonly stray?: Task;
}

const ONE_ROUND = { epochs: 2 };
const NONE: Faults = { kills: 0, duplicates: 0, losses: 0, looks: 0 };
const PLANNED = { from: 'planned', concurrency: 2 } as const;
const CASES: readonly Case[] = [
  {
    name: 'two rounds, a merge too early',
    spec: {},
    ...PLANNED,
    faults: NONE,
    stray: { v: 1, kind: 'merge', job: JOB, round: 0 },
  },
  {
    name: 'two rounds, a release too early',
    spec: {},
    ...PLANNED,
    faults: NONE,
    stray: { v: 1, kind: 'release', job: JOB },
  },
  {
    name: 'planning, a kill',
    spec: { ...ONE_ROUND, shards: 1 },
    from: 'accepted',
    concurrency: 1,
    faults: { ...NONE, kills: 1 },
  },
  { name: 'two rounds, a kill', spec: {}, ...PLANNED, faults: { ...NONE, kills: 1 } },
  { name: 'a round, a duplicate', spec: ONE_ROUND, ...PLANNED, faults: { ...NONE, duplicates: 1 } },
  { name: 'a round, a look', spec: ONE_ROUND, ...PLANNED, faults: { ...NONE, looks: 1 } },
  {
    name: 'a round with a quorum, a look',
    spec: { ...ONE_ROUND, quorum: 1 },
    ...PLANNED,
    faults: { ...NONE, looks: 1 },
  },
  { name: 'a round, a loss', spec: ONE_ROUND, ...PLANNED, faults: { ...NONE, losses: 1 } },
  {
    name: 'a round of one shard, a loss and a look',
    spec: { ...ONE_ROUND, shards: 1 },
    ...PLANNED,
    faults: { ...NONE, losses: 1, looks: 1 },
  },
  {
    name: 'a round of one shard, a loss, a duplicate and two looks',
    spec: { ...ONE_ROUND, shards: 1 },
    from: 'planned',
    concurrency: 1,
    faults: { kills: 0, duplicates: 1, losses: 1, looks: 2 },
    deep: true,
  },
  {
    name: 'a round of one shard, a kill and two looks',
    spec: { ...ONE_ROUND, shards: 1 },
    from: 'planned',
    concurrency: 2,
    faults: { ...NONE, kills: 1, looks: 2 },
    deep: true,
  },
  {
    name: 'planning, a kill and a look',
    spec: { ...ONE_ROUND, shards: 1 },
    from: 'accepted',
    concurrency: 1,
    faults: { ...NONE, kills: 1, looks: 1 },
    deep: true,
  },
  { name: 'two rounds, a duplicate', spec: {}, ...PLANNED, faults: { ...NONE, duplicates: 1 }, deep: true },
  {
    name: 'a round, a kill and a look',
    spec: ONE_ROUND,
    ...PLANNED,
    faults: { ...NONE, kills: 1, looks: 1 },
    deep: true,
  },
  {
    name: 'a round, a kill and a duplicate',
    spec: ONE_ROUND,
    ...PLANNED,
    faults: { ...NONE, kills: 1, duplicates: 1 },
    deep: true,
  },
  {
    name: 'a round with a quorum, a kill and a look',
    spec: { ...ONE_ROUND, quorum: 1 },
    ...PLANNED,
    faults: { ...NONE, kills: 1, looks: 1 },
    deep: true,
  },
  { name: 'two rounds, a look', spec: {}, ...PLANNED, faults: { ...NONE, looks: 1 }, deep: true },
];

describe('every way', () => {
  test.each(CASES.filter(({ deep }) => DEEP || deep !== true))(
    '$name',
    { timeout: 900_000 },
    async ({ spec, from, faults, concurrency, name, stray }) => {
      const course = await prepareCourse(spec);
      const model = modelOf(course.plan);
      const check = (world: World) => {
        checkCommits(course, world);
        checkWatches(world, faults);
      };
      const strays = stray === undefined ? [] : [{ task: stray, receives: 1 }];
      const start = { ...course[from], queue: [...course[from].queue, ...strays] };
      const explored = await explore(model, start, { faults, concurrency, check });
      for (const end of explored.ends) checkEnd(course, await finish(model, end));
      const { states, transitions, ends } = explored;
      console.log(`${name}: ${states} states, ${transitions} transitions, ${ends.length} ends`);
      expect(ends.length).toBeGreaterThan(0);
    },
  );
});

describe('ways by chance', () => {
  const WAYS = DEEP ? 300 : 6;
  // Of a task's ten to twenty requests: about three executions in ten are killed.
  const CHANCES = { kill: 0.025, duplicate: 0.2, look: 0.05 };

  test.each<[string, Partial<TrainRequest>]>([
    ['three shards, three rounds', { shards: 3, epochs: 6 }],
    ['four shards, quorum of three', { shards: 4, epochs: 4, quorum: 3 }],
  ])('%s', { timeout: 900_000 }, async (name, spec) => {
    const course = await prepareCourse(spec);
    const model = modelOf(course.plan, 'requests');
    const check = (world: World) => checkCommits(course, world);
    let restarts = 0;
    for (let seed = 0; seed < WAYS; seed++) {
      const options = { concurrency: 3, check };
      let world = await wander(model, course.planned, createRandom(seed), CHANCES, options);
      if (!world.objects.has(jobResultKey(JOB))) {
        // Five times killed, a message is set aside. Where that was the last one, a person resumes the job.
        restarts += 1;
        const task = {
          v: 1,
          kind: 'watch',
          job: JOB,
          round: openRound(course, world),
          announce: true,
        } as const;
        world = await finish(modelOf(course.plan), { ...world, queue: [{ task, receives: 1 }] });
      }
      checkEnd(course, world);
    }
    console.log(`${name}: ${WAYS} ways, resumed ${restarts}`);
    expect(restarts).toBeLessThan(WAYS / 10);
  });
});

function openRound({ plan }: Course, world: World): number {
  let round = 0;
  while (round < plan.rounds - 1 && commitOf(world, round) !== undefined) round += 1;
  return round;
}

describe('the model', () => {
  test('finds what it is there to find: a merge that takes what is there, in the order it came', async () => {
    const course = await prepareCourse(ONE_ROUND);
    const model = modelOf(course.plan);
    const shard = course.planned.queue.find(({ task }) => task.kind === 'shard')!;
    let progress = await model.start({ ...course.planned, queue: [] }, shard);
    while (progress.kind === 'waits') progress = await model.step(progress.world, progress.execution);
    // The commit that such a merge would make: of one shard, as if that were all.
    const key = roundCommitKey(JOB, 0);
    const task = { v: 1, kind: 'merge', job: JOB, round: 0, partial: true } as const;
    const quorum = await prepareCourse({ ...ONE_ROUND, quorum: 1 });
    const objects = new Map([...progress.world.objects, ...specOf(quorum)]);
    let merged = await model.start({ objects, queue: [] }, { task, receives: 1 });
    while (merged.kind === 'waits') merged = await model.step(merged.world, merged.execution);
    const commit = RoundCommit.parse(json(merged.world.objects.get(key)));
    expect(commit.missing).toEqual([1]);
    const { missing: _missing, ...claim } = commit;
    const bad = { body: new TextEncoder().encode(JSON.stringify(claim)) };
    const wrong = { ...merged.world, objects: new Map(merged.world.objects).set(key, bad) };
    expect(() => checkCommits(course, wrong)).toThrow();
  });
});

const specOf = ({ accepted }: Course) => [...accepted.objects].filter(([key]) => key.endsWith('/spec.json'));
