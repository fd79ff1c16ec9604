/** What a request to the local stack takes: medians of a few. */
import { availableParallelism } from 'node:os';
import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { createSqsClient } from '../../../cloud/adapters/sqs-queue.ts';
import { median } from '../../../core/median.ts';
import { localPlatform, type Platform } from '../../../core/planning/platform.ts';
import type { ObjectStore } from '../../../core/storage/object-store.ts';

const TRIES = 9;
const PROBE = 'planning/probe';
const PROBE_BYTES = 4_000_000;

const rate = (seconds: number) => PROBE_BYTES / Math.max(1e-4, seconds);

/** @param environment that reaches the stack's queue */
export async function measureLocal(
  store: ObjectStore,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Platform> {
  const typical = async (work: () => Promise<unknown>) => {
    const seconds: number[] = [];
    for (let i = 0; i < TRIES; i++) {
      const began = performance.now();
      await work();
      seconds.push((performance.now() - began) / 1000);
    }
    return median(seconds)!;
  };
  const sqs = createSqsClient(environment);
  try {
    const read = await typical(() => store.head(PROBE));
    const write = await typical(() => store.put(PROBE, new Uint8Array(1)));
    const large = new Uint8Array(PROBE_BYTES);
    const writing = await typical(() => store.put(PROBE, large));
    const reading = await typical(() => store.get(PROBE));
    const send = await typical(() =>
      sqs.send(new GetQueueAttributesCommand({ QueueUrl: environment['CAUSEWAY_QUEUE_URL'] ?? '' })),
    );
    return localPlatform({
      read,
      write,
      send,
      bytesPerSecond: { read: rate(reading - read), written: rate(writing - write) },
      // One a core, as its fleet has.
      concurrency: availableParallelism(),
    });
  } finally {
    await store.delete(PROBE);
    sqs.destroy();
  }
}
