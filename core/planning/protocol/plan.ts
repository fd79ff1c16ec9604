/** Task `plan` (cloud/training/plan.ts). */
import type { Execution, Work } from '../functions.ts';
import { announceRound } from './announce.ts';
import { piecesOf, type SimulatedJob, STANDING } from './course.ts';
import { unread } from './memory.ts';

export function* planTask(job: SimulatedJob, execution: Execution): Work {
  const { workload, course } = job;
  const { mergers, staleness, bytes, seconds, graphBytes, forwardBytes } = workload;
  yield execution.ask(
    [
      [
        { reads: STANDING },
        { reads: 1 },
        { reads: unread(execution.memory, 'spec') },
        { reads: 1 },
        { reads: 1 },
      ],
    ],
    { read: forwardBytes },
  );
  yield execution.compute(seconds.plan);
  const blobs = 1 + (mergers > 1 ? mergers + 1 : 1) * piecesOf(workload);
  yield execution.ask([[{ writes: blobs }]], { written: graphBytes + bytes.state + bytes.model });
  course.metered.push(execution.usage());
  yield execution.ask([[{ writes: 1 }]]);
  const first = Math.min(staleness, course.rounds.length - 1) + 1;
  for (let round = 0; round < first; round++) yield* announceRound(job, execution, round);
}
