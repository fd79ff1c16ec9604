/** The local SQS: a real server on 127.0.0.1 whose queues live under the state directory. */
import { join } from 'node:path';
import { createSqsClient } from '../../../cloud/adapters/sqs-queue.ts';
import { Fault } from '../../../core/errors.ts';
import { startFauxqs } from './fauxqs.ts';
import { DEAD_LETTER_QUEUE, ensureTaskQueues, TASK_QUEUE } from './queues.ts';

export interface SqsServerOptions {
  /** Everything is kept below it, and is there again at the next start. */
  readonly stateDir: string;
  /** Default: any free one. */
  readonly port?: number;
  /** Seconds a received message stays hidden, 0 to 43,200: at least the function's timeout; AWS advises six times. */
  readonly visibilityTimeoutS: number;
}

export interface SqsServer {
  readonly endpoint: string;
  readonly queueUrl: string;
  readonly queueArn: string;
  readonly deadLetterQueueUrl: string;
  readonly deadLetterQueueArn: string;
  /** What a function needs in its environment to reach this server. The keys are placeholders: it checks none. */
  readonly environment: Readonly<Record<string, string>>;
  /** As {@link Fauxqs.oldestSentAt}, of either queue. */
  oldestSentAt(queue: 'tasks' | 'dead-letters'): number | undefined;
  stop(): Promise<void>;
}

/** SQS's account in the URLs and ARNs of the local server. */
const ACCOUNT = '000000000000';
const MAX_VISIBILITY_S = 43_200;

export async function startSqsServer(options: SqsServerOptions): Promise<SqsServer> {
  const { stateDir, port = 0, visibilityTimeoutS } = options;
  if (
    !Number.isInteger(visibilityTimeoutS) ||
    visibilityTimeoutS < 0 ||
    visibilityTimeoutS > MAX_VISIBILITY_S
  ) {
    const message = `visibilityTimeoutS: ${visibilityTimeoutS} is no whole number from 0 to ${MAX_VISIBILITY_S}`;
    throw new Fault('invalid', message, { field: 'visibilityTimeoutS' });
  }
  const server = await startFauxqs(join(stateDir, 'sqs'), port);
  const endpoint = `http://127.0.0.1:${server.port}`;
  const environment = {
    AWS_ENDPOINT_URL_SQS: endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
  };
  const client = createSqsClient(environment);
  try {
    const urlOf = (name: string) => `${endpoint}/${ACCOUNT}/${name}`;
    const { tasks, deadLetters } = await ensureTaskQueues(client, { visibilityTimeoutS, urlOf });
    return {
      endpoint,
      queueUrl: tasks.url,
      queueArn: tasks.arn,
      deadLetterQueueUrl: deadLetters.url,
      deadLetterQueueArn: deadLetters.arn,
      environment,
      oldestSentAt: (queue) => server.oldestSentAt(queue === 'tasks' ? TASK_QUEUE : DEAD_LETTER_QUEUE),
      stop: () => server.stop(),
    };
  } catch (thrown) {
    await server.stop();
    throw thrown;
  } finally {
    client.destroy();
  }
}
