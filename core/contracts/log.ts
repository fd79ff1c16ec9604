/**
 * The lines that functions log: one JSON object each, one line an event. `timestamp`, `level` and `message` are spelled as
 * in AWS Lambda's own JSON format, which reads them (Lambda Developer Guide, "Configuring JSON and plain text log formats").
 * Additions are optional, so that whoever counts lines reads those of older versions.
 */
import { z } from 'zod';
import { JobId, Timestamp } from './primitives.ts';

export const LEVELS = ['INFO', 'WARN', 'ERROR'] as const;
export type Level = (typeof LEVELS)[number];

const TraceId = z.string().regex(/^[0-9a-f]{32}$/);
const SpanId = z.string().regex(/^[0-9a-f]{16}$/);

/** What was thrown, as far as operators need it. */
export const LoggedError = z.object({
  name: z.string(),
  message: z.string(),
  code: z.string().optional(),
  field: z.string().optional(),
  stack: z.string().optional(),
});
export type LoggedError = z.infer<typeof LoggedError>;

const Line = {
  timestamp: Timestamp,
  level: z.enum(LEVELS),
  service: z.enum(['fleet', 'jobs-api', 'sweep']),
  /** The function's invocation, as Lambda's own lines name it. */
  requestId: z.string().optional(),
  traceId: TraceId,
  spanId: SpanId,
  parentSpanId: SpanId.optional(),
  jobId: JobId.optional(),
  error: LoggedError.optional(),
};

/** What a message of the queue asks for: a task, a job, or no one knows what. */
export const MESSAGE_KINDS = [
  'plan',
  'shard',
  'merge',
  'watch',
  'release',
  'execute',
  'gather',
  'recheck',
  // Specs that came by message, and objects dropped into the inbox: each starts a job.
  'train',
  'batch',
  'evaluate',
  'map',
  'inbox',
  'unreadable',
] as const;

/**
 * How a delivery ended: `done` and acknowledged; `retried`: left for another delivery; `lost`: a shard that no retry mends,
 * its round goes on; `failed`: it ended its job, or starts none; `dead`: that was the last delivery, the queue sets the message aside.
 */
export const OUTCOMES = ['done', 'retried', 'lost', 'failed', 'dead'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** One delivery of a message to the fleet. */
export const TaskLine = z.object({
  ...Line,
  message: z.literal('task'),
  messageId: z.string(),
  kind: z.enum(MESSAGE_KINDS),
  round: z.int().min(0).optional(),
  shard: z.int().min(0).optional(),
  slice: z.int().min(0).optional(),
  part: z.int().min(0).optional(),
  /** SQS's ApproximateReceiveCount: 1 at first. */
  attempt: z.int().min(1),
  /** Milliseconds since the message was sent, its delay among them; left out where the queue did not say. */
  ageMs: z.number().min(0).optional(),
  durationMs: z.number().min(0),
  outcome: z.enum(OUTCOMES),
  /** It lies in the dead-letter queue now, or will as soon as its time is up. */
  deadLetter: z.literal(true).optional(),
});
export type TaskLine = z.infer<typeof TaskLine>;

/** One request to the jobs API, when its answer begins. */
export const RequestLine = z.object({
  ...Line,
  message: z.literal('request'),
  method: z.string(),
  path: z.string(),
  status: z.int(),
  durationMs: z.number().min(0),
});
export type RequestLine = z.infer<typeof RequestLine>;

/** A look at all unfinished jobs that found something: in a trace of its own, being of many jobs. */
export const SweepLine = z.object({
  ...Line,
  message: z.literal('jobs swept'),
  looked: z.int().min(0),
  /** Announced again. */
  revived: z.array(JobId),
  /** Given up. */
  failed: z.array(JobId),
  /** Could not be looked at. */
  faults: z.array(z.object({ job: z.string(), reason: z.string() })),
});
export type SweepLine = z.infer<typeof SweepLine>;

export const LogLine = z.discriminatedUnion('message', [TaskLine, RequestLine, SweepLine]);
export type LogLine = z.infer<typeof LogLine>;
