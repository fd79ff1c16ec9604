/**
 * An SQS event source mapping: polls the queue, hands batches to the function, deletes what is done and leaves what
 * failed to its visibility timeout.
 *
 * One long poll at a time, and only while an environment is free: it asks for as many messages as can start at once,
 * so nothing waits here, hidden from others, and a message starts a few milliseconds after it was sent. (AWS runs
 * five or more pollers; each would wake for every message and most for nothing.)
 */
import { setTimeout } from 'node:timers/promises';
import {
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { MESSAGES_AT_ONCE } from '../../../core/queue/task-queue.ts';
import { failedMessages } from './batch-response.ts';
import type { Invocable, InvokeOutcome } from './invocation.ts';
import { checkRange } from './range.ts';
import { sqsEvent } from './sqs-event.ts';

export interface EventSourceMappingOptions {
  readonly client: SQSClient;
  readonly queueUrl: string;
  readonly queueArn: string;
  readonly target: Invocable;
  /** Messages per invocation, 1 to 10 (AWS: to 10,000 with a window); default 1. */
  readonly batchSize?: number;
  /** Seconds to wait for a batch to fill, 0 to 300; default 0. It may be exceeded by less than a second. */
  readonly batchWindowS?: number;
  /** Invocations at a time; default and limit: the function's own. */
  readonly maxConcurrency?: number;
  /** Default true: the function answers with the messages that failed. False: it succeeds or fails as a whole. */
  readonly reportBatchItemFailures?: boolean;
  /** Takes a line about what went wrong; default standard error. */
  readonly log?: (line: string) => void;
}

export interface EventSourceMappingStats {
  readonly received: number;
  readonly invocations: number;
  readonly deleted: number;
  /** Messages left for another delivery. */
  readonly failed: number;
  readonly receiveErrors: number;
  /** Invocations running, and the most there were at once. */
  readonly active: number;
  readonly maxActive: number;
}

export interface EventSourceMapping {
  stats(): EventSourceMappingStats;
  /** Stops polling and waits for the invocations that run and their deletes. */
  stop(): Promise<void>;
}

/** Seconds; SQS's own limit on long polling. */
const LONG_POLL_S = 20;
/** Milliseconds before another receive after a failed one: doubling, from the first to the second. */
const BACKOFF_MS = { first: 50, last: 2_000 } as const;

export function startEventSourceMapping(options: EventSourceMappingOptions): EventSourceMapping {
  const { client, queueUrl, queueArn, target, batchSize = 1, batchWindowS = 0 } = options;
  const { reportBatchItemFailures = true } = options;
  const maxConcurrency = Math.min(options.maxConcurrency ?? target.maxConcurrency, target.maxConcurrency);
  checkRange('batchSize', batchSize, 1, MESSAGES_AT_ONCE);
  checkRange('batchWindowS', batchWindowS, 0, 300);
  checkRange('maxConcurrency', maxConcurrency, 1, 1_000);
  const log = options.log ?? ((line: string) => void process.stderr.write(`${line}\n`));
  const counts = {
    received: 0,
    invocations: 0,
    deleted: 0,
    failed: 0,
    receiveErrors: 0,
    active: 0,
    maxActive: 0,
  };
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  /** Called when an invocation ends. */
  let onIdle: () => void = () => {};

  async function receive(limit: number, waitS: number): Promise<Message[]> {
    const { Messages = [] } = await client.send(
      new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: Math.min(MESSAGES_AT_ONCE, limit),
        WaitTimeSeconds: waitS,
        MessageAttributeNames: ['All'],
        MessageSystemAttributeNames: ['All'],
      }),
      { abortSignal: stopping.signal },
    );
    counts.received += Messages.length;
    return Messages;
  }

  /** Adds to a batch that is not full until it is, or its window closes. */
  async function fill(batch: Message[]): Promise<void> {
    const closes = performance.now() + batchWindowS * 1_000;
    while (batch.length < batchSize && !stopping.signal.aborted) {
      const leftS = (closes - performance.now()) / 1_000;
      if (leftS <= 0) return;
      batch.push(...(await receive(batchSize - batch.length, Math.min(LONG_POLL_S, Math.ceil(leftS)))));
    }
  }

  async function invokeWhenFree(messages: readonly Message[]): Promise<InvokeOutcome> {
    for (;;) {
      const outcome = await target.invoke(sqsEvent(messages, queueArn), { queue: false });
      // Somebody else's invocation took the place: as AWS does, try on.
      if (outcome.kind !== 'throttled' || stopping.signal.aborted) return outcome;
      await unlessAborted(target.whenFree(), stopping.signal);
    }
  }

  async function deliver(messages: readonly Message[]): Promise<void> {
    counts.active += 1;
    counts.invocations += 1;
    counts.maxActive = Math.max(counts.maxActive, counts.active);
    const outcome = await invokeWhenFree(messages);
    counts.active -= 1;
    onIdle();
    if (outcome.kind === 'failed') log(`${outcome.error.errorType}: ${outcome.error.errorMessage}`);
    const ids = messages.map((message) => message.MessageId ?? '');
    const failed = failedMessages(outcome, ids, reportBatchItemFailures);
    counts.failed += failed.size;
    await remove(messages.filter((message) => !failed.has(message.MessageId ?? '')));
  }

  /** What cannot be deleted is delivered again, and handlers bear that. */
  async function remove(messages: readonly Message[]): Promise<void> {
    if (messages.length === 0) return;
    const entries = messages.map((message, n) => ({ Id: String(n), ReceiptHandle: message.ReceiptHandle }));
    try {
      const answer = await client.send(
        new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries: entries }),
      );
      counts.deleted += messages.length - (answer.Failed?.length ?? 0);
      for (const failure of answer.Failed ?? []) log(`a message could not be deleted: ${failure.Code ?? ''}`);
    } catch (thrown) {
      log(`${messages.length} messages could not be deleted: ${String(thrown)}`);
    }
  }

  function dispatch(messages: readonly Message[]): void {
    const delivery = deliver(messages);
    running.add(delivery);
    void delivery.finally(() => running.delete(delivery));
  }

  const room = () => Math.min(maxConcurrency - counts.active, target.free());

  async function untilRoom(): Promise<void> {
    while (room() <= 0 && !stopping.signal.aborted) {
      const ended = new Promise<void>((resolve) => {
        onIdle = resolve;
      });
      // Below our own maximum it is the function that is busy, with somebody else.
      const change = counts.active < maxConcurrency ? target.whenFree() : ended;
      await unlessAborted(change, stopping.signal);
    }
  }

  async function poll(): Promise<void> {
    let backoffMs: number = BACKOFF_MS.first;
    for (;;) {
      await untilRoom();
      if (stopping.signal.aborted) return;
      let messages: Message[] = [];
      try {
        messages = await receive(room() * batchSize, LONG_POLL_S);
        if (messages.length > 0 && messages.length < batchSize && batchWindowS > 0) await fill(messages);
        backoffMs = BACKOFF_MS.first;
      } catch (thrown) {
        if (!stopping.signal.aborted) {
          counts.receiveErrors += 1;
          if (backoffMs === BACKOFF_MS.first) log(`the queue cannot be polled: ${String(thrown)}`);
          await setTimeout(backoffMs, undefined, { signal: stopping.signal }).catch(() => {});
          backoffMs = Math.min(BACKOFF_MS.last, backoffMs * 2);
        }
      }
      // Also what came before an error or the stop: it is ours until it is delivered.
      for (let start = 0; start < messages.length; start += batchSize) {
        dispatch(messages.slice(start, start + batchSize));
      }
    }
  }

  /**
   * A message sent once we have stopped must not fall to the poll that was cut off. The server has noticed that by
   * the time it answers another request; where it is away there is nothing to fall.
   */
  async function afterHangUp(): Promise<void> {
    await client.send(new GetQueueAttributesCommand({ QueueUrl: queueUrl })).catch(() => {});
  }

  const polling = poll();
  return {
    stats: () => ({ ...counts }),
    async stop() {
      stopping.abort();
      await polling;
      await afterHangUp();
      await Promise.all(running);
    },
  };
}

/** Resolves with the promise or when aborted, and leaves nothing behind on the signal. */
function unlessAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener('abort', done);
      resolve();
    };
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
    void promise.then(done);
  });
}
