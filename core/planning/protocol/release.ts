/** Task `release` (cloud/training/release.ts). */
import type { Execution, Work } from '../functions.ts';
import { readingWhole, type SimulatedJob, STANDING } from './course.ts';
import { commits, hasKept, unread } from './memory.ts';

export function* releaseTask({ workload, course, fleet }: SimulatedJob, execution: Execution): Work {
  const { testFiles, bytes, seconds, graphBytes, forwardBytes } = workload;
  const rounds = course.rounds.length;
  const { memory } = execution;
  if (course.endedAt !== undefined) return;
  yield execution.ask([
    [{ reads: STANDING + unread(memory, 'spec', 'plan') }, ...commits(memory, rounds - 1)],
  ]);
  const hasState = hasKept(memory, 'state', rounds);
  yield execution.ask([hasState ? [] : readingWhole(workload), [{ reads: 1 }]], {
    read: forwardBytes + (hasState ? 0 : bytes.state),
  });
  const test = testFiles.reduce((sum, file) => sum + file.bytes, 0);
  yield execution.ask([[{ reads: unread(memory, 'manifest') }, { reads: testFiles.length + 1 }]], {
    read: test + graphBytes,
  });
  yield execution.compute(seconds.release);
  // The model; where the releases end, its own; that one read back, and where the channel's moves end, twice; its move.
  const publishing = [
    { writes: 1 },
    { reads: 1 },
    { writes: 1 },
    { reads: 1 },
    { reads: 1 },
    { reads: 1 },
    { writes: 1 },
  ];
  yield execution.ask([publishing], { written: forwardBytes });
  course.metered.push(execution.usage());
  yield execution.ask([[{ writes: 1 }]]);
  course.endedAt ??= fleet().now();
}
