/** What the tasks of the fleet work with. One per warm function; its caches are why a warm function is quicker. */
import type { TaskLine } from '../../core/contracts/log.ts';
import type { TaskMeter } from '../../core/contracts/usage.ts';
import type { ShardCache } from '../../core/datasets/read.ts';
import type { Prices } from '../../core/costs/prices.ts';
import type { InferenceRuntime, ModelSession } from '../../core/inference/runtime.ts';
import type { TrainingState } from '../../core/jobs/state.ts';
import type { DeadLetters } from '../../core/queue/dead-letters.ts';
import type { TaskQueue } from '../../core/queue/task-queue.ts';
import type { ObjectStore, StoredObject } from '../../core/storage/object-store.ts';
import type { Telemetry } from '../../core/telemetry/log.ts';
import type { TrainingProgram } from './engine/program.ts';

export interface FleetContext {
  readonly store: ObjectStore;
  readonly queue: TaskQueue;
  readonly runtime: InferenceRuntime;
  readonly now: () => Date;
  /** Seconds after which a round is looked at again; see {@link ./watch.ts}. */
  readonly watchSeconds: number;
  /** Seconds of silence after which a missing shard counts as lost; default: twice `watchSeconds`. */
  readonly lostSeconds?: number;
  /** Where messages go that no retry mends; default: nowhere, the job's result has the reason. */
  readonly deadLetters?: DeadLetters;
  /** Of this function, in GB of 1024 MB, and what it and the bucket cost. */
  readonly memoryGb?: number;
  readonly prices?: Prices;
  /** What the function's environment is called, short; for those who look at a job's timeline. */
  readonly place?: string;
  /** Default: nobody watches. */
  readonly telemetry?: Telemetry;
  /** Of the task that runs; of its span the second. */
  readonly meter?: Meter;
  readonly traceparent?: string;
  /** Logs what is done within a delivery beside its own task; default: nobody watches. */
  readonly observe?: Observe;
  readonly caches: FleetCaches;
}

export interface Meter {
  /** Until now. */
  read(): TaskMeter;
}

/** What a piece of work is about. */
export type Subject = Pick<TaskLine, 'kind' | 'jobId' | 'round' | 'shard' | 'slice' | 'part'>;

/** @param work @returns whether there was anything to do: else no line is written */
export type Observe = (
  context: FleetContext,
  subject: Subject,
  work: (context: FleetContext) => Promise<boolean>,
) => Promise<void>;

export interface FleetCaches {
  readonly rows: ShardCache;
  /** Training programs by the SHA-256 of their graph. */
  readonly programs: Cache<Promise<TrainingProgram>>;
  /** Models that only predict: see loadSession in cloud/batch. */
  readonly sessions: Cache<LoadedModel>;
  /** Training states by SHA-256: the merger's result is the next round's base. */
  readonly states: Cache<TrainingState>;
  /** Updates that this function wrote, by key: a merge need not read them back. Default: it keeps none. */
  readonly updates?: SizedCache<WrittenUpdate>;
  /** Immutable JSON of jobs and rounds by key. */
  readonly documents: Cache<unknown>;
}

export interface LoadedModel {
  readonly session: ModelSession;
  /** Inputs it takes as the dataset stores them: it casts and divides itself. */
  readonly stored: ReadonlySet<string>;
}

export interface Cache<T> {
  get(key: string): T | undefined;
  set(key: string, value: T): void;
  delete(key: string): void;
}

export interface SizedCache<T> {
  get(key: string): T | undefined;
  set(key: string, value: T, bytes: number): void;
}

/** As the object has it: one that was created never changes. */
export type WrittenUpdate = Pick<StoredObject, 'body' | 'metadata'>;

/** What a message's delivery says of it. */
export interface Delivery {
  /** True where the queue has handed this message out before: its first handler may have died half way. */
  readonly redelivered: boolean;
  /** How often the queue has handed it out, with this time; for those who look at a job's timeline. */
  readonly attempt?: number;
  /** Milliseconds until the function is killed; default: it is not. */
  readonly remainingMs?: () => number;
}
