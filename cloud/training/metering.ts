/** Counts what one task asks of the bucket and the queue, so that its report can say what it took. */
import type { Usage } from '../../core/contracts/usage.ts';
import { DELIVERY_REQUESTS, MESSAGES_AT_ONCE, type TaskQueue } from '../../core/queue/task-queue.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import type { FleetContext, Meter } from './context.ts';

/**
 * The context as one task sees it: the same store and queue, counted.
 * @param message false: the task came without one, in the invocation of another
 */
export function metered(context: FleetContext, message = true): FleetContext & { readonly meter: Meter } {
  const { now, memoryGb = 0, place } = context;
  const startedAt = now();
  const counts = { queueRequests: message ? DELIVERY_REQUESTS : 0, writes: 0, reads: 0 };
  const meter: Meter = {
    read() {
      const functionSeconds = Math.max(0, (now().getTime() - startedAt.getTime()) / 1000);
      const gbSeconds = functionSeconds * memoryGb;
      return {
        startedAt: startedAt.toISOString(),
        usage: { functionSeconds, gbSeconds, invocations: message ? 1 : 0, ...counts },
        executions: [{ at: 0, seconds: functionSeconds, ...(place === undefined ? {} : { place }) }],
      };
    },
  };
  return {
    ...context,
    store: countedStore(context.store, counts),
    queue: countedQueue(context.queue, counts),
    meter,
  };
}

function countedStore(store: ObjectStore, counts: { writes: number; reads: number }): ObjectStore {
  return {
    get(key, options) {
      counts.reads += 1;
      return store.get(key, options);
    },
    head(key) {
      counts.reads += 1;
      return store.head(key);
    },
    put(key, body, options) {
      counts.writes += 1;
      return store.put(key, body, options);
    },
    // Deleting is free.
    delete: (key) => store.delete(key),
    list(prefix, options) {
      counts.writes += 1;
      return store.list(prefix, options);
    },
  };
}

function countedQueue(queue: TaskQueue, counts: { queueRequests: number }): TaskQueue {
  return {
    send(tasks, options) {
      counts.queueRequests += Math.ceil(tasks.length / MESSAGES_AT_ONCE);
      return queue.send(tasks, options);
    },
  };
}

/** What this task took until now; nothing where nobody counts. */
export const usageOf = ({ meter }: FleetContext): Usage | undefined => meter?.read().usage;
