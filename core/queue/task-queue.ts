/** Where work is announced. Delivery is at least once, in any order: every task must be safe to run twice. */
import type { Task } from '../contracts/task.ts';

/** Seconds; SQS's own limit on DelaySeconds. */
export const MAX_DELAY_S = 900;
/** Messages of one request: SQS's own limit on a send, a receive and a delete. */
export const MESSAGES_AT_ONCE = 10;
/** Requests to the queue for a message that is handed out: its receive and its delete. */
export const DELIVERY_REQUESTS = 2;

export interface SendOptions {
  /** Seconds until the messages can be received, 0 to {@link MAX_DELAY_S}. */
  readonly delaySeconds?: number | ((task: Task) => number);
  /** Goes with the messages, beside their bodies: the trace that they belong to, and the span that sends them. */
  readonly traceparent?: string | undefined;
}

export interface TaskQueue {
  /** Sends all tasks in order, the first as many in one request as the service allows, the others after it. @throws Fault `unavailable` if any could not be sent. */
  send(tasks: readonly Task[], options?: SendOptions): Promise<void>;
}
