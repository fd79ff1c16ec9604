/** What to announce so that an unfinished job goes on from where its objects say it is. */
import type { Task } from '../contracts/task.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { emptyHistory, newestJobs, readHistory } from './view.ts';

/** Jobs looked at when the fleet starts anew. */
const LOOK_BACK = 100;

/** @returns the tasks that set the job going again, none where it has ended, is paused or never was */
export async function nextTasks(store: ObjectStore, job: string): Promise<Task[]> {
  const history = emptyHistory();
  if (!(await readHistory(store, job, history))) return [];
  if (history.result !== undefined || history.control.paused) return [];
  // The watch finds out by itself whether plan, shards, merge or release is what is missing, and looks after it.
  const { rounds = 1, staleness = 0 } = history.plan ?? {};
  const first = Math.min(history.commits.length, rounds - 1);
  // Rounds that overlap are all under way.
  const open = Math.min(staleness + 1, rounds - first);
  return Array.from({ length: open }, (_, i) => ({
    v: 1,
    kind: 'watch',
    job,
    round: first + i,
    announce: true,
  }));
}

/**
 * After a whole stack was killed its messages may be invisible for a while yet, or lost with it. The objects are the
 * truth, so the unfinished jobs are announced again; whatever was still queued turns out to be a harmless duplicate.
 */
export async function unfinishedTasks(store: ObjectStore): Promise<Task[]> {
  const jobs = await newestJobs(store, LOOK_BACK);
  const tasks = await Promise.all(jobs.map((job) => nextTasks(store, job)));
  return tasks.flat();
}
