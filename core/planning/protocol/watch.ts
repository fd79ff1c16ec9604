/** Task `watch` (cloud/training/watch.ts). */
import { lookAt } from '../../jobs/stragglers.ts';
import type { Execution, Work } from '../functions.ts';
import { isCommitted, type SimulatedJob, STANDING, type TaskOf } from './course.ts';
import { commits, unread } from './memory.ts';

export function* watchTask(
  { workload: { shards, quorum }, times, course, fleet }: SimulatedJob,
  execution: Execution,
  task: TaskOf<'watch'>,
): Work {
  const { round, look, seen, copies } = task;
  const { memory } = execution;
  const current = course.rounds[round]!;
  const known = memory.documents.has(`commit ${round}`) ? 0 : 1;
  yield execution.ask([[{ reads: STANDING + known + unread(memory, 'spec', 'plan') }]]);
  if (course.endedAt !== undefined) return;
  if (isCommitted(course, round)) {
    if (round + 1 < course.rounds.length)
      yield execution.ask([[{ reads: 1 }, { reads: isCommitted(course, round + 1) ? 0 : shards }]]);
    return;
  }
  yield execution.ask([[{ writes: 1 }]]);
  yield execution.ask([commits(memory, round - 1), [{ reads: shards }]]);
  const now = fleet().now();
  const verdict = lookAt(
    {
      shards,
      quorum,
      done: [...current.done.values()],
      lost: 0,
      announcedAt: current.announcedAt * 1000,
      now: now * 1000,
      look,
      seen,
      copies,
    },
    times,
  );
  if (verdict.verdict.kind === 'merge') {
    yield execution.send(1);
    fleet().enqueue({ kind: 'merge', round, partial: true });
  } else if (verdict.verdict.kind === 'wait' && verdict.verdict.again) {
    const missing = Array.from({ length: shards }, (_, shard) => shard).filter(
      (shard) => !current.done.has(shard),
    );
    yield execution.ask([[{ reads: missing.length }]]);
    yield execution.send(missing.length);
    course.copies += missing.length;
    for (const shard of missing) fleet().enqueue({ kind: 'shard', round, shard });
  }
  yield execution.send(1);
  fleet().enqueue({ kind: 'watch', round, ...verdict.next }, verdict.delaySeconds);
}
