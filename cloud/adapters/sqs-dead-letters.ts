/** The dead-letter queue on Amazon SQS: what is set aside, with its reason, and taken out again. */
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { DeadLetters, Graveyard } from '../../core/queue/dead-letters.ts';
import { MESSAGES_AT_ONCE } from '../../core/queue/task-queue.ts';
import { classifySqsError } from './sqs-errors.ts';
import { traceAttribute } from './sqs-queue.ts';

/** Seconds: any makes it a long poll, which asks all of SQS's servers. A short one asks some, and so may miss messages. */
const WAIT_S = 1;
/** Messages looked through for one job's: SQS cannot be asked for some of a queue's. */
const LOOKED_THROUGH = 500;
/** Seconds those of other jobs are hidden meanwhile, should nobody give them back. */
const HIDDEN_S = 60;
/** Characters. */
const MAX_REASON = 1_000;

export interface SqsDeadLettersOptions {
  readonly client: SQSClient;
  readonly queueUrl: string;
}

export function sqsDeadLetters({ client, queueUrl }: SqsDeadLettersOptions): DeadLetters & Graveyard {
  async function guarded<T>(action: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (thrown) {
      throw classifySqsError(thrown, action);
    }
  }

  const receive = async (): Promise<Message[]> => {
    const { Messages = [] } = await client.send(
      new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: MESSAGES_AT_ONCE,
        VisibilityTimeout: HIDDEN_S,
        WaitTimeSeconds: WAIT_S,
      }),
    );
    return Messages;
  };

  const entries = (messages: readonly Message[]) =>
    messages.map(({ ReceiptHandle }, n) => ({ Id: String(n), ReceiptHandle }));

  /** @returns of how many; the others are seen again once their time is up */
  async function remove(messages: readonly Message[]): Promise<number> {
    const { Failed = [] } = await client.send(
      new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries: entries(messages) }),
    );
    return messages.length - Failed.length;
  }

  async function takeOut(job: string): Promise<number> {
    const others: Message[] = [];
    let taken = 0;
    for (let looked = 0; looked < LOOKED_THROUGH;) {
      const messages = await receive();
      if (messages.length === 0) break;
      looked += messages.length;
      const own = messages.filter(({ Body }) => jobOf(Body) === job);
      others.push(...messages.filter((message) => !own.includes(message)));
      if (own.length > 0) taken += await remove(own);
    }
    for (let start = 0; start < others.length; start += MESSAGES_AT_ONCE) {
      const batch = entries(others.slice(start, start + MESSAGES_AT_ONCE));
      await client.send(
        new ChangeMessageVisibilityBatchCommand({
          QueueUrl: queueUrl,
          Entries: batch.map((entry) => ({ ...entry, VisibilityTimeout: 0 })),
        }),
      );
    }
    return taken;
  }

  return {
    bury: (body, reason, traceparent) =>
      guarded('send to the dead-letter queue', async () => {
        await client.send(
          new SendMessageCommand({
            QueueUrl: queueUrl,
            MessageBody: body,
            MessageAttributes: {
              reason: { DataType: 'String', StringValue: admissible(reason) },
              ...(traceparent === undefined ? {} : traceAttribute(traceparent)),
            },
          }),
        );
      }),
    exhume: (job) => guarded('look through the dead-letter queue', () => takeOut(job)),
  };
}

/**
 * A reason may quote what it was given, and SQS takes no others than these characters:
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
 */
const admissible = (reason: string) =>
  reason.slice(0, MAX_REASON).replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD');

function jobOf(body: string | undefined): unknown {
  try {
    return (JSON.parse(body ?? '') as { job?: unknown } | null)?.job;
  } catch {
    return undefined;
  }
}
