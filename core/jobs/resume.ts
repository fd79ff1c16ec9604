/** What to announce so that an unfinished job goes on from where its objects say it is. */
import { FanOutPlan } from '../contracts/fan-out.ts';
import { AnyAcceptedJob } from '../contracts/job.ts';
import { jobPlanKey, jobSpecKey, partsLookKey, roundLookKey } from '../contracts/keys.ts';
import type { Task } from '../contracts/task.ts';
import type { TaskQueue } from '../queue/task-queue.ts';
import { getJson } from '../storage/json.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { forEachJob, type JobFault } from './each.ts';
import { rememberJob } from './look.ts';
import { askStanding, goesOn } from './standing.ts';
import { nextLook } from './watch-chain.ts';
import { type JobHistory, newestJobs, readHistory } from './view.ts';

/** Jobs looked at when the fleet starts anew. */
const LOOK_BACK = 100;

/** @returns the tasks that set the job going again, none where it has ended, is paused or never was */
export async function nextTasks(store: ObjectStore, job: string): Promise<Task[]> {
  const memory = await rememberJob(store, job);
  if (memory === undefined) return [];
  return memory.kind === 'fan-out' ? nextOfFanOut(store, job) : nextOfTraining(store, job, memory.history);
}

async function nextOfFanOut(store: ObjectStore, job: string): Promise<Task[]> {
  if (!goesOn(await askStanding({ store }, job))) return [];
  const plan = await getJson(store, jobPlanKey(job), FanOutPlan);
  if (plan === undefined) return [{ v: 1, kind: 'plan', job }];
  const number = await nextLook(store, (n) => partsLookKey(job, n));
  return [{ v: 1, kind: 'recheck', job, done: 0, announce: true, number }];
}

async function nextOfTraining(store: ObjectStore, job: string, history: JobHistory): Promise<Task[]> {
  if (!(await readHistory(store, job, history))) return [];
  if (history.result !== undefined || history.control.paused) return [];
  // The watch finds out by itself whether plan, shards, merge or release is what is missing, and looks after it.
  const { rounds = 1, staleness = 0 } = history.plan ?? {};
  const first = Math.min(history.commits.length, rounds - 1);
  // Rounds that overlap are all under way.
  const open = Math.min(staleness + 1, rounds - first);
  const underWay = Array.from({ length: open }, (_, i) => first + i);
  return Promise.all(
    underWay.map(async (round) => {
      // That of the watch that is in the queue, if one is: the chain goes on as one.
      const number = await nextLook(store, (n) => roundLookKey(job, round, n));
      return { v: 1, kind: 'watch', job, round, announce: true, number } as const;
    }),
  );
}

/** Announces what sets a job going again, in the job's own trace. */
export async function announceAgain(store: ObjectStore, queue: TaskQueue, job: string): Promise<void> {
  const tasks = await nextTasks(store, job);
  if (tasks.length > 0) await announce(store, queue, job, tasks);
}

/** @param tasks of that job, sent in its own trace */
export async function announce(
  store: ObjectStore,
  queue: TaskQueue,
  job: string,
  tasks: readonly Task[],
): Promise<void> {
  const accepted = await getJson(store, jobSpecKey(job), AnyAcceptedJob);
  await queue.send(tasks, { traceparent: accepted?.traceparent });
}

/**
 * After a whole stack was killed its messages may be invisible for a while yet, or lost with it. The objects are the
 * truth, so the unfinished jobs are announced again; whatever was still queued turns out to be a harmless duplicate.
 * @returns the jobs that could not be
 */
export async function announceUnfinished(store: ObjectStore, queue: TaskQueue): Promise<readonly JobFault[]> {
  return forEachJob(await newestJobs(store, LOOK_BACK), (job) => announceAgain(store, queue, job));
}
