import { ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sqsDeadLetters } from '../../cloud/adapters/sqs-dead-letters.ts';
import { sqsDepth } from '../../cloud/adapters/sqs-depth.ts';
import { sqsQueue } from '../../cloud/adapters/sqs-queue.ts';
import { countMessages, openSqs, sendText, type SqsFixture, takeMessages } from './sqs-fixture.ts';

let sqs: SqsFixture;
let url: string;
const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
beforeEach(async () => {
  sqs = await openSqs({ visibilityTimeoutS: 30 });
  url = sqs.server.deadLetterQueueUrl;
});
afterEach(() => sqs.close());

const shard = (job: string, number: number) =>
  JSON.stringify({ v: 1, kind: 'shard', job, round: 0, shard: number });

it('keeps a task with the reason why it lies there', async () => {
  const letters = sqsDeadLetters({ client: sqs.client, queueUrl: url });
  await letters.bury(shard('job_aaaaaaaa', 3), 'shard (round 0, shard 3): row 7 is no number — “NaN”');
  const { Messages = [] } = await sqs.client.send(
    new ReceiveMessageCommand({ QueueUrl: url, MessageAttributeNames: ['All'] }),
  );
  expect(Messages[0]?.Body).toBe(shard('job_aaaaaaaa', 3));
  expect(Messages[0]?.MessageAttributes?.['reason']?.StringValue).toMatch(/row 7 is no number/);
});

it('keeps what is no task as it came, and a reason that quotes what SQS does not take', async () => {
  const letters = sqsDeadLetters({ client: sqs.client, queueUrl: url });
  await letters.bury('{bad', `\u0000\ud800é😀: ${'x'.repeat(2_000)}`);
  const { Messages = [] } = await sqs.client.send(
    new ReceiveMessageCommand({ QueueUrl: url, MessageAttributeNames: ['All'] }),
  );
  expect(Messages[0]?.Body).toBe('{bad');
  expect(Messages[0]?.MessageAttributes?.['reason']?.StringValue).toMatch(/^\uFFFD\uFFFDé😀: x{993}$/u);
});

it('keeps its trace too, for whoever moves it back', async () => {
  const letters = sqsDeadLetters({ client: sqs.client, queueUrl: url });
  await letters.bury(shard('job_aaaaaaaa', 3), 'r', TRACEPARENT);
  const { Messages = [] } = await sqs.client.send(
    new ReceiveMessageCommand({ QueueUrl: url, MessageAttributeNames: ['All'] }),
  );
  expect(Messages[0]?.MessageAttributes?.['traceparent']?.StringValue).toBe(TRACEPARENT);
});

it('the depth of a queue is what it tells, its age what the local server knows', async () => {
  const { client, server } = sqs;
  const depth = sqsDepth(client, server.queueUrl);
  expect(await depth()).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
  expect(server.oldestSentAt('tasks')).toBeUndefined();
  const before = Date.now();
  const queue = sqsQueue({ client, queueUrl: server.queueUrl });
  const plan = { v: 1, kind: 'plan', job: 'job_aaaaaaaa' } as const;
  await queue.send([plan, plan, plan]);
  await queue.send([plan], { delaySeconds: 60 });
  await client.send(new ReceiveMessageCommand({ QueueUrl: server.queueUrl, MaxNumberOfMessages: 2 }));
  expect(await depth()).toEqual({ visible: 1, inFlight: 2, delayed: 1 });
  expect(server.oldestSentAt('tasks')).toBeGreaterThanOrEqual(before);
  expect(server.oldestSentAt('dead-letters')).toBeUndefined();
  await expect(sqsDepth(client, `${server.endpoint}/000000000000/nobody`)()).rejects.toMatchObject({
    code: 'internal',
  });
});

it('takes out those of one job, and leaves the others to be seen at once', async () => {
  const letters = sqsDeadLetters({ client: sqs.client, queueUrl: url });
  for (let n = 0; n < 12; n++)
    await letters.bury(shard(n % 3 === 0 ? 'job_aaaaaaaa' : 'job_bbbbbbbb', n), 'r');
  await sendText(sqs.client, url, 'no task at all');
  expect(await letters.exhume('job_aaaaaaaa')).toBe(4);
  expect(await countMessages(sqs.client, url)).toMatchObject({ waiting: 9, inFlight: 0 });
  expect(await letters.exhume('job_aaaaaaaa')).toBe(0);
  const left = await takeMessages(sqs.client, url, 9, 5_000);
  expect(left.filter(({ Body }) => Body?.includes('job_bbbbbbbb'))).toHaveLength(8);
});
