/** A job on its way: its tasks, what its rounds have so far, and what all of them share. */
import { stepsOfRound } from '../../jobs/schedule.ts';
import type { DoneShard, WatchTimes } from '../../jobs/stragglers.ts';
import type { Usage } from '../../contracts/usage.ts';
import type { Functions, Request } from '../functions.ts';
import type { Workload } from '../workload.ts';

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
export type TaskOf<Kind extends SimulatedTask['kind']> = Extract<SimulatedTask, { kind: Kind }>;

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

/** What a task of the job knows beside its own execution. */
export interface SimulatedJob {
  readonly workload: Workload;
  readonly times: WatchTimes;
  readonly course: Course;
  /** It comes after the tasks that it runs. */
  readonly fleet: () => Functions<SimulatedTask>;
}

/** @param rounds to simulate: the first ones and the last one */
export const newCourse = (rounds: number): Course => ({
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
});

/** Result, and whether somebody paused the job. */
export const STANDING = 2;
/** Documents are small. */
export const DOCUMENT_BYTES = 4_000;

export const isCommitted = ({ rounds }: Course, round: number): boolean =>
  round < 0 || rounds[round]!.committedAt !== undefined;

/** Of a shard. The last round may be shorter. */
export function stepsOf({ workload, course }: SimulatedJob, round: number): number {
  const { plan } = workload;
  const isLast = round === course.rounds.length - 1;
  const { start, end } = stepsOfRound(plan, isLast ? plan.rounds - 1 : round);
  return end - start;
}

/** What shards start from. */
export const startBytes = ({ bytes }: Workload): number => (bytes.model === 0 ? bytes.state : bytes.model);

/** A merge writes the state, and what shards start from where that is not the state itself. */
export const piecesOf = ({ bytes }: Workload): number => (bytes.model === 0 ? 1 : 2);

/** Of a state or a model: itself, or with slices what names them and they. */
export const readingWhole = ({ mergers }: Workload): Request[] =>
  mergers > 1 ? [{ reads: 1 }, { reads: mergers }] : [{ reads: 1 }];
