import type { Graveyard } from '../../core/queue/dead-letters.ts';
import type { TaskQueue } from '../../core/queue/task-queue.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';

/** What the API works with. */
export interface ApiContext {
  readonly store: ObjectStore;
  readonly queue: TaskQueue;
  readonly deadLetters: Graveyard;
  readonly now: () => Date;
  /** A new job id. */
  readonly newJobId: () => string;
  /** @throws Fault `unauthorized` */
  readonly authorize: (authorization: string | undefined) => Promise<void>;
  readonly wait: (ms: number) => Promise<void>;
}
