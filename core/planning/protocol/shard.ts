/** Task `shard` (cloud/training/shard.ts). */
import type { Execution, Work } from '../functions.ts';
import { announceMerge, isSettled } from './announce.ts';
import {
  isCommitted,
  readingWhole,
  type SimulatedJob,
  STANDING,
  startBytes,
  stepsOf,
  type TaskOf,
} from './course.ts';
import { commits, hasKept, keepUpdate, unread, unreadFiles } from './memory.ts';
import { mergeOpen } from './merge.ts';

export function* shardTask(job: SimulatedJob, execution: Execution, task: TaskOf<'shard'>): Work {
  const { round, shard } = task;
  const { redelivered } = execution;
  const { done } = job.course.rounds[round]!;
  yield execution.ask([[{ reads: STANDING + 2 + unread(execution.memory, 'spec', 'plan') }]]);
  if (isCommitted(job.course, round)) return;
  if (!done.has(shard)) {
    if ((yield* train(job, execution, task)) === 'died') return 'died';
    const usage = execution.usage();
    const { mergers, bytes } = job.workload;
    yield execution.ask([[{ writes: 1 }]], { written: mergers > 1 ? bytes.file : bytes.update });
    const isFirst = !done.has(shard);
    if (isFirst)
      done.set(shard, { startedAt: execution.startedAt * 1000, seconds: usage.functionSeconds, usage });
    if (isFirst) keepUpdate(execution.memory, job.workload, round, shard);
    if (!isFirst && !redelivered) return;
  } else if (!redelivered) return;
  yield* closeIfSettled(job, execution, task);
}

/** Seconds after which it is looked whether whoever was to merge did. */
const LOOK_AFTER = 5;

/** One of those that see the round complete merges: here the last to write (cloud/training/close.ts). */
function* closeIfSettled(job: SimulatedJob, execution: Execution, { round, shard }: TaskOf<'shard'>): Work {
  if (!(yield* isSettled(job, execution, round))) return;
  const last = [...job.course.rounds[round]!.done.keys()].at(-1);
  if (execution.redelivered) yield* announceMerge(job, execution, round);
  else if (last !== shard) {
    yield execution.ask([[{ writes: 1 }]]);
    yield* announceMerge(job, execution, round, LOOK_AFTER);
  } else yield* mergeOpen(job, execution, { kind: 'merge', round }, execution.usage());
}

/** Until the update is ready to be written. */
function* train(job: SimulatedJob, execution: Execution, { round, shard }: TaskOf<'shard'>): Work {
  const { workload } = job;
  const { mergers, staleness, bytes, seconds, graphBytes } = workload;
  const { memory } = execution;
  const from = Math.max(0, round - staleness);
  yield execution.ask([commits(memory, from - 1)]);
  const hasState = hasKept(memory, bytes.model === 0 ? 'state' : 'model', from);
  const missing = unreadFiles(memory, workload, shard);
  const isNew = unread(memory, 'program') > 0;
  yield execution.ask(
    [
      hasState ? [] : readingWhole(workload),
      [{ reads: isNew ? 1 : 0 }],
      [{ reads: unread(memory, 'manifest') }, { reads: missing.count }],
    ],
    { read: (hasState ? 0 : startBytes(workload)) + missing.bytes + (isNew ? graphBytes : 0) },
  );
  const steps = seconds.step * stepsOf(job, round);
  if (execution.dies()) {
    yield execution.compute(steps / 2);
    return 'died';
  }
  yield execution.compute((isNew ? seconds.load : 0) + (hasState ? 0 : seconds.start) + steps);
  if (bytes.residual > 0)
    yield execution.ask([[{ reads: from > 0 ? 1 : 0 }, { writes: 1 }]], {
      read: from > 0 ? bytes.residual : 0,
      written: bytes.residual,
    });
  yield execution.compute(seconds.send);
  if (mergers > 1) yield execution.ask([[{ writes: mergers }]], { written: bytes.update - bytes.file });
}
