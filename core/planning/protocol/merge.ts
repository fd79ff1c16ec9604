/** Task `merge` (cloud/training/merge.ts, merge-whole.ts, join-slices.ts). */
import type { Usage } from '../../contracts/usage.ts';
import { addUsage, NO_USAGE } from '../../costs/usage.ts';
import type { Execution, Work } from '../functions.ts';
import { announceMergeIfSettled, announceRound } from './announce.ts';
import { DOCUMENT_BYTES, isCommitted, piecesOf, type SimulatedJob, STANDING, type TaskOf } from './course.ts';
import { commits, fileBytes, hasKept, keptUpdates, unread } from './memory.ts';

export function* mergeTask(job: SimulatedJob, execution: Execution, task: TaskOf<'merge'>): Work {
  yield execution.ask([[{ reads: STANDING + 1 + unread(execution.memory, 'spec', 'plan') }]]);
  if (!isCommitted(job.course, task.round)) yield* mergeOpen(job, execution, task);
}

/** @param before what the function took before it came to merge; default: nothing, it was called for that */
export function* mergeOpen(
  job: SimulatedJob,
  execution: Execution,
  { round, partial = false }: TaskOf<'merge'>,
  before?: Usage,
): Work {
  const { workload, course, fleet } = job;
  const { shards, quorum, mergers, staleness } = workload;
  const { memory } = execution;
  const current = course.rounds[round]!;
  if (!isCommitted(course, round - 1)) return;
  yield execution.ask([commits(memory, Math.max(0, round - staleness) - 1)]);
  const kept = keptUpdates(memory, round);
  yield execution.ask(
    [[{ reads: shards - kept }], [{ reads: STANDING }], [{ writes: before === undefined ? 0 : 1 }]],
    { read: (current.done.size - kept) * fileBytes(workload) },
  );
  if (current.done.size < (partial ? quorum : shards)) return;
  if (mergers === 1) yield* mergeWhole(job, execution, round);
  else {
    const isNew = !current.isSettled;
    yield execution.ask([[{ writes: 1 }, { reads: (isNew ? 0 : 1) + mergers }]], {
      read: mergers * DOCUMENT_BYTES,
    });
    current.isSettled = true;
    if (current.slices.size < mergers) {
      if (!isNew) return;
      yield execution.send(mergers);
      for (let slice = 0; slice < mergers; slice++) fleet().enqueue({ kind: 'slice', round, slice });
      return;
    }
    yield execution.ask([[{ writes: piecesOf(workload) }]]);
  }
  yield execution.ask([commits(memory, round - 1)]);
  const members = [
    ...[...current.done.values()].map(({ usage }) => usage),
    ...current.slices.values(),
    since(before ?? NO_USAGE, execution.usage()),
  ];
  yield execution.ask([[{ writes: 1 }]], { written: shards * 300 });
  if (isCommitted(course, round)) return;
  course.metered.push(...members);
  unread(memory, `commit ${round}`);
  current.committedAt = fleet().now();
  course.usageAt.push(fleet().usage());
  course.meteredAt.push(addUsage(...course.metered));
  yield* announceNext(job, execution, round);
}

function* mergeWhole({ workload, course }: SimulatedJob, execution: Execution, round: number): Work {
  const { mergesIntoState, bytes, seconds } = workload;
  const { memory } = execution;
  const hasState = !mergesIntoState || hasKept(memory, 'state', round);
  if (!hasState) yield execution.ask([commits(memory, round - 1), [{ reads: 1 }]], { read: bytes.state });
  yield execution.compute(seconds.merge + seconds.mergeEach * course.rounds[round]!.done.size);
  yield execution.ask([[{ writes: piecesOf(workload) }]], { written: bytes.state + bytes.model });
  hasKept(memory, 'state', round + 1);
}

function* announceNext(job: SimulatedJob, execution: Execution, round: number): Work {
  const { workload, course, fleet } = job;
  const { staleness } = workload;
  const rounds = course.rounds.length;
  if (round + 1 === rounds) {
    yield execution.send(1);
    fleet().enqueue({ kind: 'release' });
    return;
  }
  if (round + 1 + staleness < rounds) yield* announceRound(job, execution, round + 1 + staleness);
  if (staleness > 0) yield* announceMergeIfSettled(job, execution, round + 1);
}

function since(before: Usage, after: Usage): Usage {
  const entries = Object.entries(after).map(([unit, value]) => [unit, value - before[unit as keyof Usage]]);
  return Object.fromEntries(entries) as Usage;
}
