/**
 * One delivery of a message as operators see it: a span in its job's trace, that trace on all it sends, and a line in the
 * log when it ends. A function that is killed writes none; the next delivery's line has a higher `attempt`.
 */
import type { Level, Outcome } from '../../core/contracts/log.ts';
import type { SendOptions, TaskQueue } from '../../core/queue/task-queue.ts';
import { loggedError, spanFields, type Telemetry } from '../../core/telemetry/log.ts';
import { type Span, spanOf, traceIdOfJob, traceparentOf } from '../../core/telemetry/span.ts';
import type { FleetContext, Observe, Subject } from './context.ts';

/** What a message's delivery says of it to operators. */
export interface DeliveryFacts {
  readonly messageId: string;
  /** Deliveries of it up to this one; default 1. */
  readonly attempt?: number;
  /** When it was sent, Unix milliseconds. */
  readonly sentAt?: number | undefined;
  /** As the message carries it. */
  readonly traceparent?: string | undefined;
  /** Of the function's invocation. */
  readonly requestId?: string;
}

export type Handled =
  | { readonly outcome: 'done' }
  | {
      readonly outcome: Exclude<Outcome, 'done'>;
      readonly thrown: unknown;
      /** It was put into the dead-letter queue, though its message is acknowledged. */
      readonly buried?: boolean;
    };

const LEVEL_OF: Readonly<Record<Outcome, Level>> = {
  done: 'INFO',
  retried: 'WARN',
  lost: 'ERROR',
  failed: 'ERROR',
  dead: 'ERROR',
};

/** @param work with the context as this delivery sees it */
export async function observed(
  fleet: FleetContext,
  delivery: DeliveryFacts,
  subject: Subject,
  work: (context: FleetContext) => Promise<Handled>,
): Promise<Handled> {
  const { telemetry } = fleet;
  if (telemetry === undefined) return work(fleet);
  const { jobId } = subject;
  const ofJob = jobId === undefined ? undefined : await traceIdOfJob(jobId);
  const span = spanOf(delivery.traceparent, telemetry.randomHex, ofJob);
  const startedAt = fleet.now();
  const handled = await work({ ...inSpan(fleet, span), observe: within(telemetry, delivery, span) });
  logTask(fleet, telemetry, { delivery, subject, span, startedAt, handled });
  return handled;
}

/** Work of another kind in the same invocation: a span within the delivery's, and a line of its own. */
function within(telemetry: Telemetry, delivery: DeliveryFacts, outer: Span): Observe {
  // The message was sent for the other task: how old it is says nothing of this one.
  const { sentAt: _, ...facts } = delivery;
  return async (fleet, subject, work) => {
    const span = spanOf(traceparentOf(outer), telemetry.randomHex);
    const startedAt = fleet.now();
    const end = (handled: Handled) =>
      logTask(fleet, telemetry, { delivery: facts, subject, span, startedAt, handled });
    try {
      if (await work(inSpan(fleet, span))) end({ outcome: 'done' });
    } catch (thrown) {
      end({ outcome: 'retried', thrown });
      throw thrown;
    }
  };
}

interface Ended {
  readonly delivery: DeliveryFacts;
  readonly subject: Subject;
  readonly span: Span;
  readonly startedAt: Date;
  readonly handled: Handled;
}

function logTask(
  { now }: FleetContext,
  { log }: Telemetry,
  { delivery, subject, span, startedAt, handled }: Ended,
): void {
  const endedAt = now();
  const { outcome } = handled;
  log({
    timestamp: endedAt.toISOString(),
    level: LEVEL_OF[outcome],
    message: 'task',
    service: 'fleet',
    ...(delivery.requestId === undefined ? {} : { requestId: delivery.requestId }),
    ...spanFields(span),
    messageId: delivery.messageId,
    ...subject,
    attempt: delivery.attempt ?? 1,
    ...(delivery.sentAt === undefined ? {} : { ageMs: Math.max(0, startedAt.getTime() - delivery.sentAt) }),
    durationMs: Math.max(0, endedAt.getTime() - startedAt.getTime()),
    outcome,
    ...(outcome === 'dead' || ('buried' in handled && handled.buried) ? { deadLetter: true } : {}),
    ...('thrown' in handled ? { error: loggedError(handled.thrown) } : {}),
  });
}

function inSpan(fleet: FleetContext, span: Span): FleetContext {
  const { queue, deadLetters } = fleet;
  const traceparent = traceparentOf(span);
  return {
    ...fleet,
    traceparent,
    queue: tracedQueue(queue, traceparent),
    ...(deadLetters === undefined
      ? {}
      : { deadLetters: { bury: (body, reason) => deadLetters.bury(body, reason, traceparent) } }),
  };
}

/** Whatever a task announces is of its trace, whoever announces it: the next round, a copy, the next look. */
const tracedQueue = (queue: TaskQueue, traceparent: string): TaskQueue => ({
  send: (tasks, options: SendOptions = {}) =>
    queue.send(tasks, { ...options, traceparent: options.traceparent ?? traceparent }),
});
