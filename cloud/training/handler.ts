/** Lambda handler of the fleet: SQS messages in, partial batch failures out. */
import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch';
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { integer, required } from '../adapters/environment.ts';
import { nativeRuntime } from '../adapters/onnxruntime.ts';
import { createS3Client, s3Store } from '../adapters/s3-store.ts';
import { createSqsClient, sqsQueue } from '../adapters/sqs-queue.ts';
import { recent, shardCache } from './caches.ts';
import type { FleetContext } from './context.ts';
import { dispatch } from './dispatch.ts';
import type { TrainingProgram } from './engine/program.ts';

/** Decoded dataset shards a warm function keeps. A tenth of the smallest memory we deploy with would be 180 MB. */
const ROW_CACHE_BYTES = 256 * 1024 * 1024;

function createContext(environment: NodeJS.ProcessEnv): FleetContext {
  return {
    store: s3Store({
      client: createS3Client(environment),
      bucket: required(environment, 'CAUSEWAY_BUCKET'),
    }),
    queue: sqsQueue({
      client: createSqsClient(environment),
      queueUrl: required(environment, 'CAUSEWAY_QUEUE_URL'),
    }),
    runtime: nativeRuntime(),
    now: () => new Date(),
    watchSeconds: integer(environment, 'CAUSEWAY_WATCH_SECONDS', { fallback: 300, range: [1, 900] }),
    caches: {
      rows: shardCache(ROW_CACHE_BYTES),
      programs: recent<Promise<TrainingProgram>>(2, (loading) => {
        void loading.then((program) => program.release()).catch(() => {});
      }),
      states: recent(4),
      documents: recent(64),
    },
  };
}

const context = createContext(process.env);
const maxReceives = integer(process.env, 'CAUSEWAY_MAX_RECEIVES', { fallback: 5, range: [1, 1000] });
const processor = new BatchProcessor(EventType.SQS);

export function handler(event: SQSEvent, lambda: Context): Promise<SQSBatchResponse> {
  const handle = async (record: SQSRecord) => {
    const receives = Number(record.attributes.ApproximateReceiveCount);
    await dispatch(context, record.body, {
      messageId: record.messageId,
      redelivered: receives > 1,
      lastChance: receives >= maxReceives,
    });
  };
  return processPartialResponse(event, handle, processor, {
    context: lambda,
    // All records failing is an ordinary partial response too: the queue redelivers each on its own.
    throwOnFullBatchFailure: false,
  });
}
