/**
 * The tasks of a job (docs/protocol.md) as what they ask of store and queue, in the order of cloud/training: the table of
 * a job's requests, so to speak. A test holds it to the handlers (test/gradients/planning.test.ts).
 */
import type { Execution, Functions, Work } from './functions.ts';
import type { Platform } from './platform.ts';
import { newCourse, type SimulatedJob, type SimulatedTask } from './protocol/course.ts';
import { mergeTask } from './protocol/merge.ts';
import { planTask } from './protocol/plan.ts';
import { releaseTask } from './protocol/release.ts';
import { shardTask } from './protocol/shard.ts';
import { sliceTask } from './protocol/slice.ts';
import { watchTask } from './protocol/watch.ts';
import type { Workload } from './workload.ts';

/**
 * @param rounds to simulate: the first ones and the last one
 * @returns what each task does, over a course that it changes
 */
export function protocol(
  workload: Workload,
  { watchSeconds }: Pick<Platform, 'watchSeconds'>,
  rounds: number,
  fleet: () => Functions<SimulatedTask>,
) {
  const course = newCourse(rounds);
  const job: SimulatedJob = {
    workload,
    times: { watchSeconds, lostSeconds: 2 * watchSeconds },
    course,
    fleet,
  };

  function work(task: SimulatedTask, execution: Execution): Work {
    switch (task.kind) {
      case 'plan':
        return planTask(job, execution);
      case 'shard':
        return shardTask(job, execution, task);
      case 'merge':
        return mergeTask(job, execution, task);
      case 'slice':
        return sliceTask(job, execution, task);
      case 'watch':
        return watchTask(job, execution, task);
      case 'release':
        return releaseTask(job, execution);
    }
  }

  return { course, work };
}
