/** Task `merge` with a slice (cloud/training/merge-slice.ts). */
import type { Execution, Work } from '../functions.ts';
import { DOCUMENT_BYTES, isCommitted, piecesOf, type SimulatedJob, STANDING, type TaskOf } from './course.ts';
import { commits, keptUpdates, unread } from './memory.ts';

export function* sliceTask(
  { workload, course, fleet }: SimulatedJob,
  execution: Execution,
  { round, slice }: TaskOf<'slice'>,
): Work {
  const { mergers, staleness, mergesIntoState, bytes, seconds } = workload;
  const { memory } = execution;
  const current = course.rounds[round]!;
  yield execution.ask([[{ reads: STANDING + 2 + unread(memory, 'spec', 'plan') }]]);
  if (isCommitted(course, round) || current.slices.has(slice)) return;
  yield execution.ask([[{ reads: 1 }], commits(memory, Math.max(0, round - staleness) - 1)], {
    read: DOCUMENT_BYTES,
  });
  const count = current.done.size;
  const named = count - keptUpdates(memory, round);
  yield execution.ask([[{ reads: named }]], { read: named * bytes.file });
  const state = mergesIntoState ? [{ reads: 1 }, { reads: 1 }] : [];
  yield execution.ask([[{ reads: count }], state], {
    read: (count * (bytes.update - bytes.file) + (mergesIntoState ? bytes.state : 0)) / mergers,
  });
  yield execution.compute((seconds.merge + seconds.mergeEach * count) / mergers);
  yield execution.ask([[{ writes: piecesOf(workload) }]], { written: (bytes.state + bytes.model) / mergers });
  const usage = execution.usage();
  yield execution.ask([[{ writes: 1 }]]);
  if (current.slices.has(slice)) return;
  current.slices.set(slice, usage);
  yield execution.ask([[{ reads: mergers }]]);
  if (current.slices.size < mergers) return;
  yield execution.send(1);
  fleet().enqueue({ kind: 'merge', round });
}
