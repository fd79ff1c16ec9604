/** A disturbed job beside the undisturbed one: what came of it, and what must be the same. */
import { JobPlan, JobResult, RoundCommit } from '../../core/contracts/job.ts';
import { blobKey, jobPlanKey, jobResultKey, releaseKey, roundCommitKey } from '../../core/contracts/keys.ts';
import { collectGarbage } from '../../core/garbage/collect.ts';
import type { Task } from '../../core/contracts/task.ts';
import { acceptJob } from '../../core/jobs/accept.ts';
import { readControl, writeControl } from '../../core/jobs/control.ts';
import { nextTasks } from '../../core/jobs/resume.ts';
import { getBlob } from '../../core/storage/blobs.ts';
import { getJson, putJson } from '../../core/storage/json.ts';
import { memoryStore, type MemoryStore } from '../unit/memory-store.ts';
import { createCourse, emptyTally, type Tally } from './course.ts';
import { type Draw, drawFor, PEOPLE } from './faults.ts';
import { JOBS, prepareJob } from './jobs.ts';

const JOB = 'job_00000001';
const START = Date.parse('2026-01-02T03:04:05Z');

export interface Course {
  /** Of the released model. */
  readonly graph: string;
  /** Every round's state, by SHA-256. */
  readonly states: readonly string[];
  /** Blobs in the bucket after a sweep, by key. */
  readonly left: readonly string[];
  readonly tally: Tally;
  /** Virtual seconds. */
  readonly seconds: number;
}

/** The kinds of jobs take turns. */
export const nameOf = (seed: number): string => {
  const names = Object.keys(JOBS);
  return names[seed % names.length]!;
};

/** @param seed undefined: nothing goes wrong @throws where the job does not succeed */
export async function runJob(name: string, seed: number | undefined): Promise<Course> {
  const clock = { now: START };
  const objects = memoryStore(() => clock.now);
  const tally = emptyTally();
  const hasEnded = async () => (await resultOf(objects)) !== undefined;
  const draw = seed === undefined ? undefined : drawFor(seed);
  const course = createCourse({
    objects,
    clock,
    tally,
    hasEnded,
    ...(draw === undefined ? {} : { draw, between: (id) => people(objects, clock, draw, tally, id) }),
  });
  await acceptJob(objects, course.queue, await prepareJob(objects, name), { job: JOB, now: new Date(START) });
  await course.run();
  const result = await resultOf(objects);
  if (result?.status !== 'succeeded') throw new Error(`the job ended as ${JSON.stringify(result)}`);
  if ((await objects.head(releaseKey('m', 2))) !== undefined) throw new Error('the job was released twice');
  const plan = (await getJson(objects, jobPlanKey(JOB), JobPlan))!;
  const states = [];
  for (let round = 0; round < plan.rounds; round++)
    states.push((await getJson(objects, roundCommitKey(JOB, round), RoundCommit))!.state);
  const left = await sweep(objects, [result.graph, states.at(-1)!]);
  return { graph: result.graph, states, left, tally, seconds: (clock.now - START) / 1000 };
}

/** Of the run that counts. */
async function resultOf(objects: MemoryStore): Promise<JobResult | undefined> {
  const { run } = await readControl(objects, JOB);
  return getJson(objects, jobResultKey(JOB, run), JobResult);
}

/** What people do while the job runs. @returns what they send */
async function people(
  objects: MemoryStore,
  clock: { readonly now: number },
  draw: Draw,
  tally: Tally,
  id: string,
): Promise<readonly Task[]> {
  const count = (name: string) => tally.faults.set(name, (tally.faults.get(name) ?? 0) + 1);
  const redrive = draw(`redrive ${id}`).uniform() < PEOPLE.redrive && (await resultOf(objects)) === undefined;
  const control = await readControl(objects, JOB);
  const at = new Date(clock.now).toISOString();
  if (redrive) {
    const stopped = {
      v: 1,
      job: JOB,
      status: 'stopped',
      reason: 'late',
      limit: 'deadline',
      rounds: 0,
      endedAt: at,
    };
    await putJson(objects, jobResultKey(JOB, control.run), JobResult.parse(stopped), 'create');
  }
  if (redrive || draw(`sweep ${id}`).uniform() < PEOPLE.sweep) {
    count('swept while it ran');
    await collectGarbage(objects, { now: clock.now + 86_400_000, olderThanMs: 0 });
  }
  if (!redrive) return [];
  count('stopped, swept, redriven');
  await writeControl(objects, { v: 1, job: JOB, at, action: 'redrive' }, control);
  return nextTasks(objects, JOB);
}

/** Whatever the faults left, the collector takes it, and what is needed stays. @returns the blobs that stay */
async function sweep(objects: MemoryStore, needed: readonly string[]): Promise<string[]> {
  await collectGarbage(objects, { now: START + 86_400_000_000, olderThanMs: 0 });
  for (const sha256 of needed) await getBlob(objects, sha256);
  return (await objects.list(blobKey(''))).objects.map(({ key }) => key);
}

/** @returns what differs, undefined where nothing does */
export function difference(disturbed: Course, undisturbed: Course): string | undefined {
  if (disturbed.graph !== undisturbed.graph)
    return `released ${disturbed.graph}, undisturbed ${undisturbed.graph}`;
  const round = disturbed.states.findIndex((state, i) => state !== undisturbed.states[i]);
  if (round < 0 && disturbed.states.length === undisturbed.states.length)
    return disturbed.left.join() === undisturbed.left.join()
      ? undefined
      : 'other blobs are left after a sweep';
  return `the state of round ${round} is another one`;
}
