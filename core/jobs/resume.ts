/** What to announce so that an unfinished job goes on from where its objects say it is. */
import type { Task } from '../contracts/task.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { emptyHistory, newestJobs, readHistory } from './view.ts';

/** Jobs looked at when the fleet starts anew. */
const LOOK_BACK = 100;

/** @returns the task that sets the job going again, undefined where it has ended or never was */
export async function nextTask(store: ObjectStore, job: string): Promise<Task | undefined> {
  const history = emptyHistory();
  if (!(await readHistory(store, job, history)) || history.result !== undefined) return undefined;
  if (history.plan === undefined) return { v: 1, kind: 'plan', job };
  const round = history.commits.length;
  if (round === history.plan.rounds) return { v: 1, kind: 'release', job };
  return { v: 1, kind: 'watch', job, round };
}

/**
 * After a whole stack was killed its messages may be invisible for a while yet, or lost with it. The objects are the
 * truth, so the unfinished jobs are announced again; whatever was still queued turns out to be a harmless duplicate.
 */
export async function unfinishedTasks(store: ObjectStore): Promise<Task[]> {
  const jobs = await newestJobs(store, LOOK_BACK);
  const tasks = await Promise.all(jobs.map((job) => nextTask(store, job)));
  return tasks.filter((task) => task !== undefined);
}
