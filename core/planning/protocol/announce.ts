/** How one task brings about the next (cloud/training/announce.ts, round.ts). */
import { ASKED_AT_ONCE, firstLook } from '../../jobs/stragglers.ts';
import type { Execution, Work } from '../functions.ts';
import { type SimulatedJob, STANDING } from './course.ts';

export function* announceRound(job: SimulatedJob, execution: Execution, round: number): Work {
  const { workload, course, times, fleet } = job;
  const { shards, quorum } = workload;
  yield execution.send(shards + 1);
  const before = round === 0 ? [] : [...course.rounds[round - 1]!.done.values()].map((done) => done.seconds);
  course.rounds[round]!.announcedAt = fleet().now();
  const delay = firstLook(before, times, { shards, quorum });
  fleet().enqueue({ kind: 'watch', round, look: -1, seen: 0, copies: 0 }, delay);
  for (let shard = 0; shard < shards; shard++) fleet().enqueue({ kind: 'shard', round, shard });
}

/** @returns whether all updates of a round are there */
export function* isSettled(
  { workload: { shards }, course }: SimulatedJob,
  execution: Execution,
  round: number,
): Generator<number, boolean, void> {
  const { done } = course.rounds[round]!;
  for (let first = 0; first < shards; first += ASKED_AT_ONCE) {
    const asked = Array.from({ length: Math.min(ASKED_AT_ONCE, shards - first) }, (_, i) => first + i);
    yield execution.ask([[{ reads: asked.length }]]);
    if (!asked.every((each) => done.has(each))) return false;
  }
  return true;
}

export function* announceMergeIfSettled(job: SimulatedJob, execution: Execution, round: number): Work {
  if (yield* isSettled(job, execution, round)) yield* announceMerge(job, execution, round);
}

/** @param delay seconds */
export function* announceMerge(
  { fleet }: SimulatedJob,
  execution: Execution,
  round: number,
  delay = 0,
): Work {
  yield execution.ask([[{ reads: STANDING }]]);
  yield execution.send(1);
  fleet().enqueue({ kind: 'merge', round }, delay);
}
