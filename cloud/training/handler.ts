/** Lambda handler of the fleet: SQS messages in, partial batch failures out. */
import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch';
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { integer, pricesOf, required } from '../adapters/environment.ts';
import { functionLog, randomHex } from '../adapters/function-log.ts';
import { nativeRuntime } from '../adapters/onnxruntime.ts';
import { createS3Client, s3Store } from '../adapters/s3-store.ts';
import { sqsDeadLetters } from '../adapters/sqs-dead-letters.ts';
import { createSqsClient, sqsQueue, TRACEPARENT } from '../adapters/sqs-queue.ts';
import { refreshing } from '../../core/storage/refresh.ts';
import { recent, shardCache, sized } from './caches.ts';
import type { FleetContext, LoadedModel } from './context.ts';
import { dispatch } from './dispatch.ts';
import type { TrainingProgram } from './engine/program.ts';

/** Decoded dataset shards a warm function keeps. A seventh of the 1,769 MB that the fleet is deployed with. */
const ROW_CACHE_BYTES = 256 * 1024 * 1024;
/** Updates it wrote itself, until the merge of their round. */
const UPDATE_CACHE_BYTES = 64 * 1024 * 1024;

/** Characters: eight hexadecimal digits of Lambda's, or a local function's name and number. */
const PLACE_LENGTH = 16;

function createContext(environment: NodeJS.ProcessEnv): FleetContext {
  const sqs = createSqsClient(environment);
  const deadLetterUrl = environment['CAUSEWAY_DEAD_LETTER_URL'];
  const watchSeconds = integer(environment, 'CAUSEWAY_WATCH_SECONDS', { fallback: 300, range: [1, 900] });
  return {
    store: refreshing(
      s3Store({
        client: createS3Client(environment),
        bucket: required(environment, 'CAUSEWAY_BUCKET'),
      }),
      Date.now,
    ),
    queue: sqsQueue({
      client: sqs,
      queueUrl: required(environment, 'CAUSEWAY_QUEUE_URL'),
    }),
    runtime: nativeRuntime(),
    telemetry: { log: functionLog, randomHex },
    now: () => new Date(),
    watchSeconds,
    lostSeconds: integer(environment, 'CAUSEWAY_LOST_SECONDS', {
      fallback: 2 * watchSeconds,
      range: [1, 43_200],
    }),
    ...(deadLetterUrl === undefined
      ? {}
      : { deadLetters: sqsDeadLetters({ client: sqs, queueUrl: deadLetterUrl }) }),
    // Lambda says how much memory it gave: a function is billed for that.
    memoryGb:
      integer(environment, 'AWS_LAMBDA_FUNCTION_MEMORY_SIZE', { fallback: 1769, range: [1, 1e6] }) / 1024,
    prices: pricesOf(environment),
    ...placeIn(environment),
    caches: {
      rows: shardCache(ROW_CACHE_BYTES),
      programs: recent<Promise<TrainingProgram>>(2, (loading) => {
        void loading.then((program) => program.release()).catch(() => {});
      }),
      sessions: recent<LoadedModel>(2, ({ session }) => void session.release().catch(() => {})),
      states: recent(4),
      updates: sized(UPDATE_CACHE_BYTES),
      documents: recent(64),
    },
  };
}

/** Of `2026/01/02/[$LATEST]0a1b…` what tells one environment of a function from another. */
function placeIn({ AWS_LAMBDA_LOG_STREAM_NAME: stream }: NodeJS.ProcessEnv): Pick<FleetContext, 'place'> {
  return stream === undefined ? {} : { place: stream.slice(stream.indexOf(']') + 1).slice(0, PLACE_LENGTH) };
}

const context = createContext(process.env);
const maxReceives = integer(process.env, 'CAUSEWAY_MAX_RECEIVES', { fallback: 5, range: [1, 1000] });
const processor = new BatchProcessor(EventType.SQS);

export function handler(event: SQSEvent, lambda: Context): Promise<SQSBatchResponse> {
  const handle = async (record: SQSRecord) => {
    const receives = Number(record.attributes.ApproximateReceiveCount);
    await dispatch(context, record.body, {
      messageId: record.messageId,
      requestId: lambda.awsRequestId,
      traceparent: record.messageAttributes[TRACEPARENT]?.stringValue,
      sentAt: Number(record.attributes.SentTimestamp) || undefined,
      attempt: receives,
      redelivered: receives > 1,
      lastChance: receives >= maxReceives,
      remainingMs: () => lambda.getRemainingTimeInMillis(),
    });
  };
  return processPartialResponse(event, handle, processor, {
    context: lambda,
    // All records failing is an ordinary partial response too: the queue redelivers each on its own.
    throwOnFullBatchFailure: false,
  });
}
