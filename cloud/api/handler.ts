/** Lambda handler of the jobs and models API: a Function URL in response-streaming mode, for the event streams. */
import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { streamHandle } from 'hono/aws-lambda';
import { verifyToken } from '../../core/security/token.ts';
import { required } from '../adapters/environment.ts';
import { createS3Client, s3Store } from '../adapters/s3-store.ts';
import { sqsDeadLetters } from '../adapters/sqs-dead-letters.ts';
import { createSqsClient, sqsQueue } from '../adapters/sqs-queue.ts';
import { tokenSecret } from '../adapters/token-secret.ts';
import { createApi } from './app.ts';

const environment = process.env;
const secret = tokenSecret(environment);
const sqs = createSqsClient(environment);

export const handler = streamHandle(
  createApi({
    store: s3Store({ client: createS3Client(environment), bucket: required(environment, 'CAUSEWAY_BUCKET') }),
    queue: sqsQueue({
      client: sqs,
      queueUrl: required(environment, 'CAUSEWAY_QUEUE_URL'),
    }),
    deadLetters: sqsDeadLetters({ client: sqs, queueUrl: required(environment, 'CAUSEWAY_DEAD_LETTER_URL') }),
    now: () => new Date(),
    newJobId: () => `job_${randomUUID().replaceAll('-', '').slice(0, 16)}`,
    authorize: async (authorization) => verifyToken(authorization, await secret()),
    wait: (ms) => setTimeout(ms),
  }),
);
