/** What the tasks of the fleet work with. One per warm function; its caches are why a warm function is quicker. */
import type { RoundCommit, TrainSpec } from '../../core/contracts/job.ts';
import type { ShardCache } from '../../core/datasets/read.ts';
import type { InferenceRuntime } from '../../core/inference/runtime.ts';
import type { TrainingState } from '../../core/jobs/state.ts';
import type { TaskQueue } from '../../core/queue/task-queue.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import type { TrainingProgram } from './engine/program.ts';

export interface FleetContext {
  readonly store: ObjectStore;
  readonly queue: TaskQueue;
  readonly runtime: InferenceRuntime;
  readonly now: () => Date;
  /** Seconds after which a round is looked at again; see {@link ./watch.ts}. */
  readonly watchSeconds: number;
  readonly caches: FleetCaches;
}

export interface FleetCaches {
  readonly rows: ShardCache;
  /** Training programs by the SHA-256 of their graph. */
  readonly programs: Cache<Promise<TrainingProgram>>;
  /** Training states by SHA-256: the merger's result is the next round's base. */
  readonly states: Cache<TrainingState>;
  /** Immutable JSON of jobs and rounds by key. */
  readonly documents: Cache<unknown>;
}

export interface Cache<T> {
  get(key: string): T | undefined;
  set(key: string, value: T): void;
}

/** What a message's delivery says of it. */
export interface Delivery {
  /** True where the queue has handed this message out before: its first handler may have died half way. */
  readonly redelivered: boolean;
}

export type { RoundCommit, TrainSpec };
