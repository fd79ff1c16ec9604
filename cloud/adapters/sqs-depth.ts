/** How many messages an Amazon SQS queue holds. Their age SQS tells CloudWatch only: it is no attribute of the queue. */
import { GetQueueAttributesCommand, type QueueAttributeName, type SQSClient } from '@aws-sdk/client-sqs';
import { Fault } from '../../core/errors.ts';
import type { QueueDepth, ReadDepth } from '../../core/queue/depth.ts';
import { classifySqsError } from './sqs-errors.ts';

const ATTRIBUTES: Readonly<Record<keyof QueueDepth, QueueAttributeName>> = {
  visible: 'ApproximateNumberOfMessages',
  inFlight: 'ApproximateNumberOfMessagesNotVisible',
  delayed: 'ApproximateNumberOfMessagesDelayed',
};

export function sqsDepth(client: SQSClient, queueUrl: string): ReadDepth {
  return async () => {
    const AttributeNames = Object.values(ATTRIBUTES);
    const { Attributes = {} } = await client
      .send(new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames }))
      .catch((thrown: unknown) => {
        throw classifySqsError(thrown, 'ask a queue how many messages it holds');
      });
    const count = (state: keyof QueueDepth) => {
      const value = Number(Attributes[ATTRIBUTES[state]] ?? NaN);
      if (!Number.isInteger(value))
        throw new Fault('unavailable', `the queue did not tell ${ATTRIBUTES[state]}`);
      return value;
    };
    return { visible: count('visible'), inFlight: count('inFlight'), delayed: count('delayed') };
  };
}
