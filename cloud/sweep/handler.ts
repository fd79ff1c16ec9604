/** Lambda handler that a schedule calls: announces jobs again of which no message is left; core/jobs/sweep.ts. */
import { STALLED_S, sweepJobs, type Swept } from '../../core/jobs/sweep.ts';
import { spanFields } from '../../core/telemetry/log.ts';
import { spanOf } from '../../core/telemetry/span.ts';
import { integer, required } from '../adapters/environment.ts';
import { functionLog, randomHex } from '../adapters/function-log.ts';
import { createS3Client, s3Store } from '../adapters/s3-store.ts';
import { createSqsClient, sqsQueue } from '../adapters/sqs-queue.ts';

const environment = process.env;
const options = {
  store: s3Store({ client: createS3Client(environment), bucket: required(environment, 'CAUSEWAY_BUCKET') }),
  queue: sqsQueue({
    client: createSqsClient(environment),
    queueUrl: required(environment, 'CAUSEWAY_QUEUE_URL'),
  }),
  now: () => new Date(),
  stalledSeconds: integer(environment, 'CAUSEWAY_STALLED_SECONDS', {
    fallback: STALLED_S,
    range: [1, 604_800],
  }),
};
/** What a warm function knows. */
const memory: { ended: Swept['ended'] } = { ended: new Set() };

export async function handler(
  _event: unknown,
  context: { readonly awsRequestId: string },
): Promise<Omit<Swept, 'ended'>> {
  const { ended, ...swept } = await sweepJobs({ ...options, ended: memory.ended });
  memory.ended = ended;
  const { looked, revived, failed, faults } = swept;
  if (revived.length + failed.length + faults.length > 0)
    functionLog({
      timestamp: options.now().toISOString(),
      level: 'WARN',
      message: 'jobs swept',
      service: 'sweep',
      requestId: context.awsRequestId,
      ...spanFields(spanOf(undefined, randomHex)),
      looked,
      revived: [...revived],
      failed: [...failed],
      faults: [...faults],
    });
  return swept;
}
