import type { Prices } from '../../core/costs/prices.ts';
import type { Graveyard } from '../../core/queue/dead-letters.ts';
import type { ReadDepth } from '../../core/queue/depth.ts';
import type { TaskQueue } from '../../core/queue/task-queue.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import type { Telemetry } from '../../core/telemetry/log.ts';

/** What the API works with. */
export interface ApiContext {
  readonly store: ObjectStore;
  readonly queue: TaskQueue;
  readonly deadLetters: Graveyard;
  readonly depths: Readonly<Record<'tasks' | 'deadLetters', ReadDepth>>;
  /** Prometheus text of what became of the fleet's tasks; default: nobody counts. */
  readonly countedTasks?: () => Promise<string>;
  /** Of the bucket, for what a job spent that has not ended; default: S3's. */
  readonly prices?: Prices;
  readonly now: () => Date;
  /** A new job id. */
  readonly newJobId: () => string;
  /** @throws Fault `unauthorized` */
  readonly authorize: (authorization: string | undefined) => Promise<void>;
  readonly wait: (ms: number) => Promise<void>;
  /** Default: nobody watches. */
  readonly telemetry?: Telemetry;
}
