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

/** One execution of a task that left something: a function's run from its first look to its report. */
export const Execution = z.strictObject({
  /** Seconds after the meter's `startedAt`, and how many it ran. */
  at: amount,
  seconds: amount,
  /** The function's environment, short: the same name, the same warm function. */
  place: z.string().max(16).optional(),
  /** Of a backup copy: which one, counted over the round. */
  copy: z.int().min(1).optional(),
  /** Which delivery of its message, where not the first. */
  attempt: z.int().min(2).optional(),
});
export type Execution = z.infer<typeof Execution>;

/** Of an object's metadata S3 takes 2 KiB; an execution is below 90 bytes. */
export const MAX_EXECUTIONS = 16;

/**
 * Metadata `meter` of what a task wrote (a shard's update and its checkpoints, a part's report), as JSON: told by HEAD,
 * without reading the object. With several executions, where one handed on to the next, `usage` is that of all.
 */
export const TaskMeter = z.strictObject({
  startedAt: z.iso.datetime(),
  usage: Usage,
  /** In order; of more than {@link MAX_EXECUTIONS} the earliest are one. Left out by versions that did not tell. */
  executions: z.array(Execution).max(MAX_EXECUTIONS).optional(),
});
export type TaskMeter = z.infer<typeof TaskMeter>;
