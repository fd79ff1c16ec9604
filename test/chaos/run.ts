/** A disturbed job beside the undisturbed one: what came of it, and what must be the same. */
import { JobPlan, JobResult, RoundCommit } from '../../core/contracts/job.ts';
import { blobKey, jobPlanKey, jobResultKey, releaseKey, roundCommitKey } from '../../core/contracts/keys.ts';
import { collectGarbage } from '../../core/garbage/collect.ts';
import { acceptJob } from '../../core/jobs/accept.ts';
import { getBlob } from '../../core/storage/blobs.ts';
import { getJson } from '../../core/storage/json.ts';
import { memoryStore, type MemoryStore } from '../unit/memory-store.ts';
import { createCourse, emptyTally, type Tally } from './course.ts';
import { drawFor } from './faults.ts';
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
  const hasEnded = async () => (await objects.head(jobResultKey(JOB))) !== undefined;
  const course = createCourse({
    objects,
    clock,
    tally,
    hasEnded,
    ...(seed === undefined ? {} : { draw: drawFor(seed) }),
  });
  await acceptJob(objects, course.queue, await prepareJob(objects, name), { job: JOB, now: new Date(START) });
  await course.run();
  const result = await getJson(objects, jobResultKey(JOB), JobResult);
  if (result?.status !== 'succeeded') throw new Error(`the job ended as ${JSON.stringify(result)}`);
  if ((await objects.head(releaseKey('m', 2))) !== undefined) throw new Error('the job was released twice');
  const plan = (await getJson(objects, jobPlanKey(JOB), JobPlan))!;
  const states = [];
  for (let round = 0; round < plan.rounds; round++)
    states.push((await getJson(objects, roundCommitKey(JOB, round), RoundCommit))!.state);
  const left = await sweep(objects, [result.graph, states.at(-1)!]);
  return { graph: result.graph, states, left, tally, seconds: (clock.now - START) / 1000 };
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
