import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  ChangeMessageVisibilityCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSqsClient } from '../../cloud/adapters/sqs-queue.ts';
import { type SqsServer, startSqsServer } from '../../infra/local/sqs/server.ts';
import { countMessages, openSqs, sendText, takeMessages } from './sqs-fixture.ts';

describe('the local SQS server', () => {
  let stateDir: string;
  let child: ChildProcess | undefined;
  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'causeway-sqs-'));
  });
  afterEach(async () => {
    child?.kill('SIGKILL');
    await rm(stateDir, { recursive: true, force: true });
  });

  async function startChild(): Promise<SqsServer> {
    const program = new URL('../fixtures/sqs-server-process.ts', import.meta.url).pathname;
    child = spawn(process.execPath, [program, stateDir], { stdio: ['ignore', 'pipe', 'inherit'] });
    if (child.stdout === null) throw new Error('no stdout');
    for await (const line of createInterface(child.stdout)) return JSON.parse(line) as SqsServer;
    throw new Error('the server ended');
  }

  async function killChild(): Promise<void> {
    if (child === undefined) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  it('keeps every message through SIGKILL: waiting, in flight and delayed', async () => {
    const first = await startChild();
    const client = createSqsClient(first.environment);
    await sendText(client, first.queueUrl, 'in flight');
    const received = await client.send(new ReceiveMessageCommand({ QueueUrl: first.queueUrl }));
    expect(received.Messages?.[0]?.Body).toBe('in flight');
    for (let n = 0; n < 25; n++) await sendText(client, first.queueUrl, `waiting ${n}`);
    await client.send(
      new SendMessageCommand({ QueueUrl: first.queueUrl, MessageBody: 'delayed', DelaySeconds: 1 }),
    );
    await killChild();
    client.destroy();

    const second = await startSqsServer({ stateDir, visibilityTimeoutS: 3600 });
    const again = createSqsClient(second.environment);
    try {
      // The one in flight comes back at once and not in an hour: whoever had it is gone.
      const taken = await takeMessages(again, second.queueUrl, 27, 5_000);
      expect(taken).toHaveLength(27);
      expect(new Set(taken.map((message) => message.Body))).toEqual(
        new Set(['in flight', 'delayed', ...Array.from({ length: 25 }, (_, n) => `waiting ${n}`)]),
      );
      const redelivered = taken.find((message) => message.Body === 'in flight');
      expect(redelivered?.Attributes?.ApproximateReceiveCount).toBe('2');
    } finally {
      again.destroy();
      await second.stop();
    }
  });

  it('starts again on its own queues with other settings and another port', async () => {
    const first = await startSqsServer({ stateDir, visibilityTimeoutS: 30 });
    const before = createSqsClient(first.environment);
    await sendText(before, first.queueUrl, 'kept');
    before.destroy();
    await first.stop();
    const second = await startSqsServer({ stateDir, visibilityTimeoutS: 60 });
    const after = createSqsClient(second.environment);
    try {
      expect(second.endpoint).not.toBe(first.endpoint);
      expect(second.queueArn).toBe(first.queueArn);
      expect(await takeMessages(after, second.queueUrl, 1, 2_000)).toHaveLength(1);
    } finally {
      after.destroy();
      await second.stop();
    }
  });

  it.each([-1, 43_201, 2.5])('refuses a visibility timeout of %d seconds', async (visibilityTimeoutS) => {
    await expect(startSqsServer({ stateDir, visibilityTimeoutS })).rejects.toMatchObject({
      code: 'invalid',
      field: 'visibilityTimeoutS',
    });
  });
});

describe('what the queue owes its consumers', () => {
  it('sends a message to the dead-letter queue after five receives', async () => {
    const { server, client, close } = await openSqs({ visibilityTimeoutS: 0 });
    try {
      await sendText(client, server.queueUrl, 'poison');
      for (let receive = 1; receive <= 5; receive++) {
        const { Messages } = await client.send(
          new ReceiveMessageCommand({
            QueueUrl: server.queueUrl,
            WaitTimeSeconds: 2,
            MessageSystemAttributeNames: ['All'],
          }),
        );
        expect(Messages?.[0]?.Attributes?.ApproximateReceiveCount).toBe(String(receive));
      }
      const sixth = await client.send(new ReceiveMessageCommand({ QueueUrl: server.queueUrl }));
      expect(sixth.Messages ?? []).toEqual([]);
      const dead = await takeMessages(client, server.deadLetterQueueUrl, 1, 2_000);
      expect(dead.map((message) => message.Body)).toEqual(['poison']);
    } finally {
      await close();
    }
  });

  it('gives a message back at once where its consumer asks for it, and counts on', async () => {
    const { server, client, close } = await openSqs({ visibilityTimeoutS: 600 });
    try {
      await sendText(client, server.queueUrl, 'again');
      const { Messages } = await client.send(new ReceiveMessageCommand({ QueueUrl: server.queueUrl }));
      await client.send(
        new ChangeMessageVisibilityCommand({
          QueueUrl: server.queueUrl,
          ReceiptHandle: Messages?.[0]?.ReceiptHandle,
          VisibilityTimeout: 0,
        }),
      );
      const [again] = await takeMessages(client, server.queueUrl, 1, 2_000);
      expect(again?.Attributes?.ApproximateReceiveCount).toBe('2');
    } finally {
      await close();
    }
  });

  it('loses nothing to a poller that hung up', async () => {
    const { server, client, close } = await openSqs({ visibilityTimeoutS: 600 });
    try {
      const hangUp = new AbortController();
      const poll = client.send(
        new ReceiveMessageCommand({ QueueUrl: server.queueUrl, WaitTimeSeconds: 20 }),
        { abortSignal: hangUp.signal },
      );
      // The wait has begun once another request, sent later, was answered.
      await countMessages(client, server.queueUrl);
      hangUp.abort();
      await expect(poll).rejects.toMatchObject({ name: 'AbortError' });
      // … and the server has seen the end of that connection once it has answered what came after it.
      await countMessages(client, server.queueUrl);
      await sendText(client, server.queueUrl, 'for the living');
      expect(await takeMessages(client, server.queueUrl, 1, 2_000)).toHaveLength(1);
    } finally {
      await close();
    }
  });
});
