import { expect, it } from 'vitest';
import { createSqsClient, sqsQueue } from '../../cloud/adapters/sqs-queue.ts';
import type { Task } from '../../core/contracts/task.ts';
import { openSqs, takeMessages } from './sqs-fixture.ts';
import { taskQueueContract } from './task-queue.ts';

taskQueueContract('SQS', async () => {
  const { server, client, close } = await openSqs({ visibilityTimeoutS: 30 });
  return {
    queue: sqsQueue({ client, queueUrl: server.queueUrl }),
    async take(count, deadlineMs) {
      const messages = await takeMessages(client, server.queueUrl, count, deadlineMs);
      return messages.map((message) => JSON.parse(message.Body ?? '') as Task);
    },
    cut: () => server.stop(),
    close,
  };
});

it('a queue that does not exist is no passing trouble', async () => {
  const { server, client, close } = await openSqs({ visibilityTimeoutS: 30 });
  try {
    const queue = sqsQueue({ client, queueUrl: `${server.endpoint}/000000000000/nobody` });
    await expect(queue.send([{ v: 1, kind: 'plan', job: 'job_00000000' }])).rejects.toMatchObject({
      code: 'internal',
      message: 'could not send to the task queue',
      detail: 'QueueDoesNotExist',
    });
  } finally {
    await close();
  }
});

it('with an endpoint in the environment a queue URL is only a name', async () => {
  const { server, close } = await openSqs({ visibilityTimeoutS: 30 });
  const client = createSqsClient(server.environment);
  try {
    const queueUrl = 'https://sqs.us-east-1.amazonaws.com/000000000000/causeway-tasks';
    await sqsQueue({ client, queueUrl }).send([{ v: 1, kind: 'plan', job: 'job_00000000' }]);
    expect(await takeMessages(client, server.queueUrl, 1, 5_000)).toHaveLength(1);
  } finally {
    client.destroy();
    await close();
  }
});
