/** The fleet's queues, created over the wire: the same calls work on any SQS. */
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  QueueDoesNotExist,
  SetQueueAttributesCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';

export const TASK_QUEUE = 'causeway-tasks';
export const DEAD_LETTER_QUEUE = 'causeway-tasks-dlq';
/** Receives after which a message goes to the dead-letter queue. */
export const MAX_RECEIVES = 5;
/** Seconds: 14 days, SQS's maximum; what failed five times waits for a person. */
const DEAD_LETTER_RETENTION_S = 1_209_600;

export interface QueueAddress {
  readonly url: string;
  readonly arn: string;
}

/**
 * Creates both queues, or brings their attributes up to date where they exist.
 * @param urlOf the URL of a queue by its name: the one a restarted server remembers names its old port
 */
export async function ensureTaskQueues(
  client: SQSClient,
  {
    visibilityTimeoutS,
    urlOf,
  }: { readonly visibilityTimeoutS: number; readonly urlOf: (name: string) => string },
): Promise<{ readonly tasks: QueueAddress; readonly deadLetters: QueueAddress }> {
  const deadLetters = await ensureQueue(client, DEAD_LETTER_QUEUE, urlOf(DEAD_LETTER_QUEUE), {
    MessageRetentionPeriod: String(DEAD_LETTER_RETENTION_S),
  });
  const tasks = await ensureQueue(client, TASK_QUEUE, urlOf(TASK_QUEUE), {
    VisibilityTimeout: String(visibilityTimeoutS),
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: deadLetters.arn, maxReceiveCount: MAX_RECEIVES }),
  });
  return { tasks, deadLetters };
}

async function ensureQueue(
  client: SQSClient,
  name: string,
  url: string,
  attributes: Record<string, string>,
): Promise<QueueAddress> {
  try {
    await client.send(new SetQueueAttributesCommand({ QueueUrl: url, Attributes: attributes }));
  } catch (thrown) {
    if (!(thrown instanceof QueueDoesNotExist)) throw thrown;
    await client.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
  }
  const answer = await client.send(
    new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['QueueArn'] }),
  );
  const arn = answer.Attributes?.['QueueArn'];
  if (arn === undefined) throw new Error(`queue ${name} has no ARN`);
  return { url, arn };
}
