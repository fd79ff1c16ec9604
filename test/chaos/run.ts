/** A disturbed job beside the undisturbed one: what came of it, and what must be the same. */
import { z } from 'zod';
import { FanOutResult } from '../../core/contracts/fan-out.ts';
import { JobPlan, JobResult, RoundCommit } from '../../core/contracts/job.ts';
import { blobKey, jobPlanKey, jobResultKey, releaseKey, roundCommitKey } from '../../core/contracts/keys.ts';
import { collectGarbage } from '../../core/garbage/collect.ts';
import type { Task } from '../../core/contracts/task.ts';
import { NO_USAGE } from '../../core/costs/usage.ts';
import { acceptJob } from '../../core/jobs/accept.ts';
import { readControl, writeControl } from '../../core/jobs/control.ts';
import { nextTasks } from '../../core/jobs/resume.ts';
import { getBlob, sha256Hex } from '../../core/storage/blobs.ts';
import { getJson, putJson } from '../../core/storage/json.ts';
import { listAll } from '../../core/storage/list.ts';
import { memoryStore, type MemoryStore } from '../unit/memory-store.ts';
import { createCourse, emptyTally, type Tally } from './course.ts';
import { type Draw, drawFor, PEOPLE } from './faults.ts';
import { JOB_NAMES, prepareJob } from './jobs.ts';

const JOB = 'job_00000001';
const START = Date.parse('2026-01-02T03:04:05Z');

export interface Course {
  /** What the job made, in its order: a training's states and released model, the outputs or metrics of the others. */
  readonly made: ReadonlyMap<string, string>;
  /** Blobs in the bucket after the collector went through it, by key. */
  readonly left: readonly string[];
  readonly tally: Tally;
  /** Virtual seconds. */
  readonly seconds: number;
}

export const nameOf = (seed: number): string => JOB_NAMES[seed % JOB_NAMES.length]!;

/** @param seed undefined: nothing goes wrong @throws where the job does not succeed */
export async function runJob(name: string, seed: number | undefined): Promise<Course> {
  const clock = { now: START };
  const objects = memoryStore(() => clock.now);
  const tally = emptyTally();
  const hasEnded = async () => (await resultOf(objects)) !== undefined;
  const draw = seed === undefined ? undefined : drawFor(seed);
  const spec = await prepareJob(objects, name);
  const isTraining = spec.kind === 'train';
  const course = createCourse({
    objects,
    clock,
    tally,
    hasEnded,
    ...(draw === undefined
      ? {}
      : { draw, between: (id) => people({ objects, clock, draw, tally, isTraining }, id) }),
  });
  await acceptJob(objects, course.queue, spec, { job: JOB, now: new Date(START) });
  await course.run();
  const result = await resultOf(objects);
  if (result?.status !== 'succeeded') throw new Error(`the job ended as ${JSON.stringify(result)}`);
  const left = await collected(objects);
  const made = 'graph' in result ? await trained(objects, result.graph) : await fannedOut(objects, result);
  return { made, left, tally, seconds: (clock.now - START) / 1000 };
}

/** @throws where the job was released twice, or the collector took its model or its last state */
async function trained(objects: MemoryStore, graph: string): Promise<Course['made']> {
  if ((await objects.head(releaseKey('m', 2))) !== undefined) throw new Error('the job was released twice');
  const plan = (await getJson(objects, jobPlanKey(JOB), JobPlan))!;
  const made = new Map<string, string>();
  for (let round = 0; round < plan.rounds; round++)
    made.set(
      `state of round ${round}`,
      (await getJson(objects, roundCommitKey(JOB, round), RoundCommit))!.state,
    );
  for (const sha256 of [graph, [...made.values()].at(-1)!]) await getBlob(objects, sha256);
  return made.set('released model', graph);
}

/** Bytes of every output, its manifest among them, and the figures of the result. */
async function fannedOut(
  objects: MemoryStore,
  { endedAt: _endedAt, spent: _spent, ...figures }: Extract<FanOutResult, { status: 'succeeded' }>,
): Promise<Course['made']> {
  const made = new Map([['result', JSON.stringify(figures)]]);
  for (const { key } of await listAll(objects, `outputs/${JOB}/`))
    made.set(key, await sha256Hex((await objects.get(key))!.body));
  return made;
}

/** Of the run that counts. */
async function resultOf(objects: MemoryStore): Promise<JobResult | FanOutResult | undefined> {
  const { run } = await readControl(objects, JOB);
  return getJson(objects, jobResultKey(JOB, run), z.union([JobResult, FanOutResult]));
}

interface Disturbed {
  readonly objects: MemoryStore;
  readonly clock: { readonly now: number };
  readonly draw: Draw;
  readonly tally: Tally;
  readonly isTraining: boolean;
}

/** What people do while the job runs. @returns what they send */
async function people(
  { objects, clock, draw, tally, isTraining }: Disturbed,
  id: string,
): Promise<readonly Task[]> {
  const chance = (what: keyof typeof PEOPLE) => draw(`${what} ${id}`).uniform() < PEOPLE[what];
  const count = (name: string) => tally.faults.set(name, (tally.faults.get(name) ?? 0) + 1);
  const control = await readControl(objects, JOB);
  const at = new Date(clock.now).toISOString();
  const act = (action: 'pause' | 'resume' | 'redrive') =>
    writeControl(objects, { v: 1, job: JOB, at, action }, control);
  const isOpen = (await resultOf(objects)) === undefined;
  const redrive = chance('redrive') && isOpen && !control.paused;
  if (redrive) await putJson(objects, jobResultKey(JOB, control.run), stoppedAt(at, isTraining), 'create');
  if (redrive || chance('collect')) {
    count('garbage collected while it ran');
    await collectGarbage(objects, { now: clock.now + 86_400_000, olderThanMs: 0 });
  }
  if (redrive) {
    count('stopped, collected, redriven');
    await act('redrive');
    return nextTasks(objects, JOB);
  }
  if (!isOpen) return [];
  if (control.paused) {
    if (!chance('resume')) return [];
    await act('resume');
    return nextTasks(objects, JOB);
  }
  if (chance('pause')) {
    count('paused, resumed');
    await act('pause');
  }
  return [];
}

function stoppedAt(endedAt: string, isTraining: boolean): JobResult | FanOutResult {
  const why = { v: 1, job: JOB, status: 'stopped', reason: 'late', limit: 'deadline', endedAt } as const;
  return isTraining
    ? JobResult.parse({ ...why, rounds: 0 })
    : FanOutResult.parse({ ...why, parts: 0, spent: { ...NO_USAGE, dollars: 0 } });
}

/** Whatever the faults left, the collector takes it. @returns the blobs that stay */
async function collected(objects: MemoryStore): Promise<string[]> {
  await collectGarbage(objects, { now: START + 86_400_000_000, olderThanMs: 0 });
  return (await objects.list(blobKey(''))).objects.map(({ key }) => key);
}

/** @returns what differs, undefined where nothing does */
export function difference(disturbed: Course, undisturbed: Course): string | undefined {
  for (const [what, sha256] of undisturbed.made)
    if (disturbed.made.get(what) !== sha256)
      return `${what} is ${disturbed.made.get(what) ?? 'missing'}, undisturbed ${sha256}`;
  if (disturbed.made.size !== undisturbed.made.size) return 'it made more than the undisturbed one';
  return disturbed.left.join() === undisturbed.left.join() ? undefined : 'other blobs are left after a sweep';
}
