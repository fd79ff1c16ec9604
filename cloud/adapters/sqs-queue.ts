/** The task queue on Amazon SQS. */
import {
  type MessageAttributeValue,
  SendMessageBatchCommand,
  SQSClient,
  type SendMessageBatchRequestEntry,
} from '@aws-sdk/client-sqs';
import type { Task } from '../../core/contracts/task.ts';
import { Fault } from '../../core/errors.ts';
import { MAX_DELAY_S, MESSAGES_AT_ONCE, type TaskQueue } from '../../core/queue/task-queue.ts';
import type { Environment } from './environment.ts';
import { keysOf } from './keys.ts';
import { classifySqsError } from './sqs-errors.ts';

/** Tries of the entries a batch refuses, beyond the SDK's own retries of whole requests. */
const SEND_ATTEMPTS = 4;
/** The message attribute that carries a W3C traceparent. */
export const TRACEPARENT = 'traceparent';

/**
 * A client as the environment describes it: region and credentials the usual way, and `AWS_ENDPOINT_URL_SQS` for
 * another endpoint. A queue URL is then only a name: the endpoint decides where requests go.
 */
export function createSqsClient(environment: Environment): SQSClient {
  const endpoint = environment['AWS_ENDPOINT_URL_SQS'];
  const region = environment['AWS_REGION'];
  return new SQSClient({
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined || endpoint === '' ? {} : { endpoint, useQueueUrlAsEndpoint: false }),
    ...keysOf(environment),
  });
}

export interface SqsQueueOptions {
  readonly client: SQSClient;
  readonly queueUrl: string;
}

export function sqsQueue({ client, queueUrl }: SqsQueueOptions): TaskQueue {
  /** @returns the entries SQS refused for a reason of its own. */
  async function sendBatch(entries: readonly SendMessageBatchRequestEntry[]) {
    const answer = await client.send(
      new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries: [...entries] }),
    );
    const refused = answer.Failed ?? [];
    const ours = refused.find((failure) => failure.SenderFault === true);
    if (ours !== undefined) {
      throw new Fault('internal', `the task queue refused a message: ${ours.Message ?? ours.Code ?? ''}`);
    }
    const ids = new Set(refused.map((failure) => failure.Id));
    return entries.filter((entry) => ids.has(entry.Id));
  }

  async function sendAll(batch: readonly SendMessageBatchRequestEntry[]) {
    let left = batch;
    for (let attempt = 0; attempt < SEND_ATTEMPTS; attempt++) {
      try {
        left = await sendBatch(left);
      } catch (thrown) {
        throw classifySqsError(thrown, 'send to the task queue');
      }
      if (left.length === 0) return;
    }
    throw new Fault(
      'unavailable',
      `the task queue took only ${batch.length - left.length} of ${batch.length}`,
    );
  }

  return {
    async send(tasks, { delaySeconds, traceparent } = {}) {
      const entries = tasks.map((task, index) => {
        const delay = typeof delaySeconds === 'function' ? delaySeconds(task) : delaySeconds;
        checkDelay(delay);
        return entryOf(task, index % MESSAGES_AT_ONCE, delay, traceparent);
      });
      const [first, ...others] = batchesOf(entries);
      if (first !== undefined) await sendAll(first);
      await Promise.all(others.map(sendAll));
    },
  };
}

/** A task is below 300 bytes with its trace, so the 1 MiB of a batch is never near. */
function batchesOf<T>(entries: readonly T[]): T[][] {
  const batches: T[][] = [];
  for (let start = 0; start < entries.length; start += MESSAGES_AT_ONCE)
    batches.push(entries.slice(start, start + MESSAGES_AT_ONCE));
  return batches;
}

/** @param id unique within its batch */
function entryOf(
  task: Task,
  id: number,
  delaySeconds: number | undefined,
  traceparent: string | undefined,
): SendMessageBatchRequestEntry {
  return {
    Id: String(id),
    MessageBody: JSON.stringify(task),
    ...(delaySeconds === undefined ? {} : { DelaySeconds: delaySeconds }),
    ...(traceparent === undefined ? {} : { MessageAttributes: traceAttribute(traceparent) }),
  };
}

/**
 * An attribute rather than a field of the body: as OpenTelemetry's instrumentations of SQS do, and a function of an older
 * version ignores it, where it refuses a body with an unknown key.
 */
export const traceAttribute = (traceparent: string): Record<string, MessageAttributeValue> => ({
  [TRACEPARENT]: { DataType: 'String', StringValue: traceparent },
});

function checkDelay(seconds: number | undefined): void {
  if (seconds === undefined) return;
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > MAX_DELAY_S) {
    const message = `delaySeconds: ${seconds} is no whole number from 0 to ${MAX_DELAY_S}`;
    throw new Fault('invalid', message, { field: 'delaySeconds' });
  }
}
