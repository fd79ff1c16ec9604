/**
 * The tasks of a job (docs/protocol.md) as what they ask of store and queue, in the order of cloud/training: the table of
 * a job's requests, so to speak. A test holds it to the handlers (test/gradients/planning.test.ts).
 */
import { firstLook, lookAt, type DoneShard } from '../jobs/stragglers.ts';
import { part, stepsOfRound } from '../jobs/schedule.ts';
import type { Usage } from '../contracts/usage.ts';
import { addUsage } from '../costs/usage.ts';
import type { Execution, Functions, Work } from './functions.ts';
import type { Platform } from './platform.ts';
import type { Workload } from './workload.ts';

export type SimulatedTask =
  | { readonly kind: 'plan' | 'release' }
  | { readonly kind: 'shard'; readonly round: number; readonly shard: number }
  | { readonly kind: 'merge'; readonly round: number; readonly partial?: boolean }
  | { readonly kind: 'slice'; readonly round: number; readonly slice: number }
  | {
      readonly kind: 'watch';
      readonly round: number;
      readonly look: number;
      readonly seen: number;
      readonly copies: number;
    };

/** Result, and whether somebody paused the job. */
const STANDING = 2;
/** Updates that a shard asks about at a time. */
const ASKED_AT_ONCE = 16;
/** States and bytes of rows that a warm function keeps. */
const KEPT_STATES = 4;
const KEPT_ROWS = 256 * 1024 * 1024;
/** Documents are small. */
const DOCUMENT_BYTES = 4_000;

interface Round {
  /** By shard. */
  readonly done: Map<number, DoneShard & { readonly usage: Usage }>;
  /** By slice, what its merge took. */
  readonly slices: Map<number, Usage>;
  isSettled: boolean;
  announcedAt: number;
  committedAt?: number;
}

export interface Course {
  readonly rounds: readonly Round[];
  /** What the job's own meter says. */
  readonly metered: Usage[];
  endedAt?: number;
  copies: number;
  /** Of everything, and of what the job's own meter says, at each commit. */
  readonly usageAt: Usage[];
  readonly meteredAt: Usage[];
}

/**
 * @param rounds to simulate: the first ones and the last one
 * @returns what each task does, over a course that it changes
 */
export function protocol(
  {
    shards,
    quorum,
    mergers,
    staleness,
    plan,
    mergesIntoState,
    rows,
    files,
    testFiles,
    bytes,
    seconds,
    graphBytes,
    forwardBytes,
  }: Workload,
  { watchSeconds }: Pick<Platform, 'watchSeconds'>,
  rounds: number,
  fleet: () => Functions<SimulatedTask>,
) {
  const times = { watchSeconds, lostSeconds: 2 * watchSeconds };
  const course: Course = {
    rounds: Array.from({ length: rounds }, () => ({
      done: new Map(),
      slices: new Map(),
      isSettled: false,
      announcedAt: 0,
    })),
    metered: [],
    copies: 0,
    usageAt: [],
    meteredAt: [],
  };
  const startBytes = bytes.model === 0 ? bytes.state : bytes.model;
  /** Of a state or a model: itself, or with slices what names them and they. */
  const reads = mergers > 1 ? [{ reads: 1 }, { reads: mergers }] : [{ reads: 1 }];
  const isCommitted = (round: number) => round < 0 || course.rounds[round]!.committedAt !== undefined;
  const stepsOf = (round: number) => {
    const { start, end } = stepsOfRound(plan, round === rounds - 1 ? plan.rounds - 1 : round);
    return end - start;
  };

  /** How many of these the function has still to read; then it has them. */
  function unread({ documents }: Execution['memory'], ...names: readonly string[]): number {
    const missing = names.filter((name) => !documents.has(name));
    for (const name of missing) documents.add(name);
    return missing.length;
  }
  const commits = (memory: Execution['memory'], round: number) =>
    round < 0 ? [] : [{ reads: unread(memory, `commit ${round}`) }];

  function unreadFiles({ files: kept }: Execution['memory'], shard: number) {
    const { start, end } = part(rows, shards, shard);
    const missing = { count: 0, bytes: 0 };
    let first = 0;
    files.forEach((file, i) => {
      const isOurs = first < end && first + file.rows > start;
      first += file.rows;
      if (!isOurs) return;
      if (kept.delete(i)) {
        kept.set(i, file.bytes);
        return;
      }
      missing.count += 1;
      missing.bytes += file.bytes;
      if (file.bytes <= KEPT_ROWS) kept.set(i, file.bytes);
      let held = [...kept.values()].reduce((sum, size) => sum + size, 0);
      for (const [oldest, size] of kept) {
        if (held <= KEPT_ROWS) break;
        kept.delete(oldest);
        held -= size;
      }
    });
    return missing;
  }

  /** Keeps what shards of a round start from, or a merge goes on from. @returns whether the function had it already */
  function hasKept({ states }: Execution['memory'], what: 'state' | 'model', round: number): boolean {
    const name = `${what} ${round}`;
    const at = states.indexOf(name);
    if (at >= 0) states.splice(at, 1);
    states.push(name);
    if (states.length > KEPT_STATES) states.shift();
    return at >= 0;
  }

  function announceRound(round: number): void {
    const before =
      round === 0 ? [] : [...course.rounds[round - 1]!.done.values()].map((done) => done.seconds);
    course.rounds[round]!.announcedAt = fleet().now();
    const delay = firstLook(before, times, { shards, quorum });
    fleet().enqueue({ kind: 'watch', round, look: -1, seen: 0, copies: 0 }, delay);
    for (let shard = 0; shard < shards; shard++) fleet().enqueue({ kind: 'shard', round, shard });
  }

  function* planTask(execution: Execution): Work {
    const { memory } = execution;
    yield execution.ask(
      [[{ reads: STANDING }, { reads: 1 }, { reads: unread(memory, 'spec') }, { reads: 1 }, { reads: 1 }]],
      forwardBytes,
    );
    yield execution.compute(seconds.plan);
    const blobs = 1 + (mergers > 1 ? mergers + 1 : 1) * (bytes.model === 0 ? 1 : 2);
    yield execution.ask([[{ writes: blobs }]], graphBytes + bytes.state + bytes.model);
    course.metered.push(execution.usage());
    yield execution.ask([[{ writes: 1 }]]);
    const first = Math.min(staleness, rounds - 1) + 1;
    for (let round = 0; round < first; round++) {
      yield execution.send(shards + 1);
      announceRound(round);
    }
  }

  function* shardTask(
    execution: Execution,
    { round, shard }: { readonly round: number; readonly shard: number },
  ): Work {
    const { memory, redelivered } = execution;
    const { done } = course.rounds[round]!;
    yield execution.ask([[{ reads: STANDING + 2 + unread(memory, 'spec', 'plan') }]]);
    if (isCommitted(round)) return;
    if (!done.has(shard)) {
      const from = Math.max(0, round - staleness);
      yield execution.ask([commits(memory, from - 1)]);
      const hasState = hasKept(memory, bytes.model === 0 ? 'state' : 'model', from);
      const missing = unreadFiles(memory, shard);
      const isNew = unread(memory, 'program') > 0;
      yield execution.ask(
        [hasState ? [] : reads, [{ reads: isNew ? 1 : 0 }], [{ reads: 1 }, { reads: missing.count }]],
        (hasState ? 0 : startBytes) + missing.bytes + (isNew ? graphBytes : 0),
      );
      const steps = seconds.step * stepsOf(round);
      if (execution.dies()) {
        yield execution.compute(steps / 2);
        return 'died';
      }
      yield execution.compute((isNew ? seconds.load : 0) + (hasState ? 0 : seconds.start) + steps);
      if (bytes.residual > 0)
        yield execution.ask(
          [[{ reads: from > 0 ? 1 : 0 }, { writes: 1 }]],
          (from > 0 ? 2 : 1) * bytes.residual,
        );
      yield execution.compute(seconds.send);
      if (mergers > 1) yield execution.ask([[{ writes: mergers }]], bytes.update - bytes.file);
      const usage = execution.usage();
      yield execution.ask([[{ writes: 1 }]], mergers > 1 ? bytes.file : bytes.update);
      const isFirst = !done.has(shard);
      if (isFirst)
        done.set(shard, { startedAt: execution.startedAt * 1000, seconds: usage.functionSeconds, usage });
      if (!isFirst && !redelivered) return;
    } else if (!redelivered) return;
    yield* announceMergeIfSettled(execution, round);
  }

  function* announceMergeIfSettled(execution: Execution, round: number): Work {
    const { done } = course.rounds[round]!;
    for (let first = 0; first < shards; first += ASKED_AT_ONCE) {
      const asked = Array.from({ length: Math.min(ASKED_AT_ONCE, shards - first) }, (_, i) => first + i);
      yield execution.ask([[{ reads: asked.length }]]);
      if (!asked.every((each) => done.has(each))) return;
    }
    yield execution.ask([[{ reads: STANDING }]]);
    yield execution.send(1);
    fleet().enqueue({ kind: 'merge', round });
  }

  function* mergeTask(
    execution: Execution,
    { round, partial = false }: { readonly round: number; readonly partial?: boolean },
  ): Work {
    const { memory } = execution;
    const current = course.rounds[round]!;
    yield execution.ask([[{ reads: STANDING + 1 + unread(memory, 'spec', 'plan') }]]);
    if (isCommitted(round) || !isCommitted(round - 1)) return;
    yield execution.ask([commits(memory, Math.max(0, round - staleness) - 1)]);
    const present = mergers > 1 ? bytes.file : bytes.update;
    yield execution.ask([[{ reads: shards }]], current.done.size * present);
    if (current.done.size < (partial ? quorum : shards)) return;
    if (mergers === 1) {
      const hasState = !mergesIntoState || hasKept(memory, 'state', round);
      if (!hasState) yield execution.ask([commits(memory, round - 1), [{ reads: 1 }]], bytes.state);
      yield execution.compute(seconds.merge + seconds.mergeEach * current.done.size);
      yield execution.ask([[{ writes: bytes.model === 0 ? 1 : 2 }]], bytes.state + bytes.model);
      hasKept(memory, 'state', round + 1);
    } else {
      const isNew = !current.isSettled;
      yield execution.ask([[{ writes: 1 }, { reads: (isNew ? 0 : 1) + mergers }]], mergers * DOCUMENT_BYTES);
      current.isSettled = true;
      if (current.slices.size < mergers) {
        if (!isNew) return;
        yield execution.send(mergers);
        for (let slice = 0; slice < mergers; slice++) fleet().enqueue({ kind: 'slice', round, slice });
        return;
      }
      yield execution.ask([[{ writes: bytes.model === 0 ? 1 : 2 }]]);
    }
    yield execution.ask([commits(memory, round - 1)]);
    const members = [
      ...[...current.done.values()].map(({ usage }) => usage),
      ...current.slices.values(),
      execution.usage(),
    ];
    yield execution.ask([[{ writes: 1 }]], shards * 300);
    if (isCommitted(round)) return;
    course.metered.push(...members);
    unread(memory, `commit ${round}`);
    current.committedAt = fleet().now();
    course.usageAt.push(fleet().usage());
    course.meteredAt.push(addUsage(...course.metered));
    yield execution.ask([[{ reads: STANDING }]]);
    if (round + 1 === rounds) {
      yield execution.send(1);
      fleet().enqueue({ kind: 'release' });
      return;
    }
    if (round + 1 + staleness < rounds) {
      yield execution.send(shards + 1);
      announceRound(round + 1 + staleness);
    }
    if (staleness > 0) yield* announceMergeIfSettled(execution, round + 1);
  }

  function* sliceTask(
    execution: Execution,
    { round, slice }: { readonly round: number; readonly slice: number },
  ): Work {
    const { memory } = execution;
    const current = course.rounds[round]!;
    yield execution.ask([[{ reads: STANDING + 2 + unread(memory, 'spec', 'plan') }]]);
    if (isCommitted(round) || current.slices.has(slice)) return;
    yield execution.ask(
      [[{ reads: 1 }], commits(memory, Math.max(0, round - staleness) - 1)],
      DOCUMENT_BYTES,
    );
    const count = current.done.size;
    yield execution.ask([[{ reads: count }]], count * bytes.file);
    const state = mergesIntoState ? [{ reads: 1 }, { reads: 1 }] : [];
    yield execution.ask(
      [[{ reads: count }], state],
      (count * (bytes.update - bytes.file) + (mergesIntoState ? bytes.state : 0)) / mergers,
    );
    yield execution.compute((seconds.merge + seconds.mergeEach * count) / mergers);
    yield execution.ask([[{ writes: bytes.model === 0 ? 1 : 2 }]], (bytes.state + bytes.model) / mergers);
    const usage = execution.usage();
    yield execution.ask([[{ writes: 1 }]]);
    if (current.slices.has(slice)) return;
    current.slices.set(slice, usage);
    yield execution.ask([[{ reads: mergers }]]);
    if (current.slices.size < mergers) return;
    yield execution.send(1);
    fleet().enqueue({ kind: 'merge', round });
  }

  function* watchTask(execution: Execution, task: Extract<SimulatedTask, { kind: 'watch' }>): Work {
    const { round, look, seen, copies } = task;
    const { memory } = execution;
    const current = course.rounds[round]!;
    const known = memory.documents.has(`commit ${round}`) ? 0 : 1;
    yield execution.ask([[{ reads: STANDING + known + unread(memory, 'spec', 'plan') }]]);
    if (course.endedAt !== undefined) return;
    if (isCommitted(round)) {
      if (round + 1 < rounds)
        yield execution.ask([[{ reads: 1 }, { reads: isCommitted(round + 1) ? 0 : shards }]]);
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

  function* releaseTask(execution: Execution): Work {
    const { memory } = execution;
    if (course.endedAt !== undefined) return;
    yield execution.ask([
      [{ reads: STANDING + unread(memory, 'spec', 'plan') }, ...commits(memory, rounds - 1)],
    ]);
    const hasState = hasKept(memory, 'state', rounds);
    yield execution.ask([hasState ? [] : reads, [{ reads: 1 }]], forwardBytes + (hasState ? 0 : bytes.state));
    const test = testFiles.reduce((sum, file) => sum + file.bytes, 0);
    yield execution.ask([[{ reads: 1 }, { reads: testFiles.length + 1 }]], test + graphBytes);
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
    yield execution.ask([publishing], forwardBytes);
    course.metered.push(execution.usage());
    yield execution.ask([[{ writes: 1 }]]);
    course.endedAt ??= fleet().now();
  }

  function work(task: SimulatedTask, execution: Execution): Work {
    switch (task.kind) {
      case 'plan':
        return planTask(execution);
      case 'shard':
        return shardTask(execution, task);
      case 'merge':
        return mergeTask(execution, task);
      case 'slice':
        return sliceTask(execution, task);
      case 'watch':
        return watchTask(execution, task);
      case 'release':
        return releaseTask(execution);
    }
  }

  return { course, work };
}
