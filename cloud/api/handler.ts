/** Lambda handler of the jobs and models API: a Function URL in response-streaming mode, for the event streams. */
import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { streamHandle } from 'hono/aws-lambda';
import { verifyToken } from '../../core/security/token.ts';
import { countedTasksAt } from '../adapters/counted-tasks.ts';
import { pricesOf, required } from '../adapters/environment.ts';
import { functionLog, randomHex } from '../adapters/function-log.ts';
import { createS3Client, s3Store } from '../adapters/s3-store.ts';
import { sqsDepth } from '../adapters/sqs-depth.ts';
import { sqsDeadLetters } from '../adapters/sqs-dead-letters.ts';
import { createSqsClient, sqsQueue } from '../adapters/sqs-queue.ts';
import { tokenSecret } from '../adapters/token-secret.ts';
import { createApi } from './app.ts';

const environment = process.env;
const secret = tokenSecret(environment);
const sqs = createSqsClient(environment);
const queueUrl = required(environment, 'CAUSEWAY_QUEUE_URL');
const deadLetterUrl = required(environment, 'CAUSEWAY_DEAD_LETTER_URL');
const countedAt = environment['CAUSEWAY_TASK_METRICS_URL'];

export const handler = streamHandle(
  createApi({
    store: s3Store({ client: createS3Client(environment), bucket: required(environment, 'CAUSEWAY_BUCKET') }),
    queue: sqsQueue({ client: sqs, queueUrl }),
    deadLetters: sqsDeadLetters({ client: sqs, queueUrl: deadLetterUrl }),
    depths: { tasks: sqsDepth(sqs, queueUrl), deadLetters: sqsDepth(sqs, deadLetterUrl) },
    ...(countedAt === undefined ? {} : { countedTasks: countedTasksAt(countedAt) }),
    prices: pricesOf(environment),
    now: () => new Date(),
    newJobId: () => `job_${randomUUID().replaceAll('-', '').slice(0, 16)}`,
    authorize: async (authorization) => verifyToken(authorization, await secret()),
    wait: (ms) => setTimeout(ms),
    telemetry: { log: functionLog, randomHex },
  }),
);
