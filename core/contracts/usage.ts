/** What work took, in the units it is paid by: core/costs/prices.ts makes money of it. */
import { z } from 'zod';

const amount = z.number().min(0);

export const Usage = z.strictObject({
  /** Wall-clock seconds that functions ran, and those times their memory in GB (1024 MB). */
  functionSeconds: amount,
  gbSeconds: amount,
  invocations: z.int().min(0),
  /** Requests to the queue: sends (ten tasks are one), receives, deletes. */
  queueRequests: z.int().min(0),
  /** Requests to the bucket: PUT and LIST, and GET and HEAD. */
  writes: z.int().min(0),
  reads: z.int().min(0),
});
export type Usage = z.infer<typeof Usage>;

/** Usage with its price when it was metered. */
export const Spent = Usage.extend({ dollars: amount });
export type Spent = z.infer<typeof Spent>;

/** What a planner said of a job before it ran (core/planning), of as much as the job's own meter counts. */
export const Predicted = z.strictObject({
  seconds: amount,
  functionSeconds: amount,
  /** To the queue and the bucket, and invocations. */
  requests: z.int().min(0),
  dollars: amount,
});
export type Predicted = z.infer<typeof Predicted>;

/** Metadata `meter` of a shard's update (and of its checkpoints), as JSON: told by HEAD, without reading the update. */
export const ShardMeter = z.strictObject({ startedAt: z.iso.datetime(), usage: Usage });
export type ShardMeter = z.infer<typeof ShardMeter>;
