/** A real SQS server in a directory of its own, and the few calls tests make on it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { createSqsClient } from '../../cloud/adapters/sqs-queue.ts';
import { type SqsServer, startSqsServer } from '../../infra/local/sqs/server.ts';

export interface SqsFixture {
  readonly server: SqsServer;
  readonly client: SQSClient;
  readonly stateDir: string;
  readonly close: () => Promise<void>;
}

export async function openSqs(options: { readonly visibilityTimeoutS: number }): Promise<SqsFixture> {
  const stateDir = await mkdtemp(join(tmpdir(), 'causeway-sqs-'));
  const server = await startSqsServer({ stateDir, ...options });
  const client = createSqsClient(server.environment);
  return {
    server,
    client,
    stateDir,
    async close() {
      client.destroy();
      await server.stop();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

/** Receives and deletes until there are `count` messages, or for `deadlineMs`. */
export async function takeMessages(
  client: SQSClient,
  queueUrl: string,
  count: number,
  deadlineMs: number,
): Promise<Message[]> {
  const deadline = performance.now() + deadlineMs;
  const taken: Message[] = [];
  while (taken.length < count && performance.now() < deadline) {
    const { Messages = [] } = await client.send(
      new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: Math.min(10, count - taken.length),
        WaitTimeSeconds: Math.floor((deadline - performance.now()) / 1000),
        MessageSystemAttributeNames: ['All'],
      }),
    );
    for (const message of Messages) {
      taken.push(message);
      await client.send(
        new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle: message.ReceiptHandle }),
      );
    }
  }
  return taken;
}

export async function sendText(client: SQSClient, queueUrl: string, body: string): Promise<string> {
  const sent = await client.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: body }));
  return sent.MessageId ?? '';
}

/** Messages that are waiting, in flight and delayed. */
export async function countMessages(client: SQSClient, queueUrl: string) {
  const { Attributes = {} } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['All'] }),
  );
  return {
    waiting: Number(Attributes['ApproximateNumberOfMessages']),
    inFlight: Number(Attributes['ApproximateNumberOfMessagesNotVisible']),
    delayed: Number(Attributes['ApproximateNumberOfMessagesDelayed']),
  };
}
