/** Bodies of the task queue's messages. */
import { z } from 'zod';
import { JobSpec } from './job.ts';
import { JobId, V1 } from './primitives.ts';

const OfJob = { v: V1, job: JobId };
const OfRound = { ...OfJob, round: z.int().min(0) };

export const Task = z.discriminatedUnion('kind', [
  /** Split the work, write the plan, announce round 0. */
  z.strictObject({ ...OfJob, kind: z.literal('plan') }),
  /** Train one shard for one round, write its update. */
  z.strictObject({ ...OfRound, kind: z.literal('shard'), shard: z.int().min(0) }),
  /** Average the round's updates, commit, announce the next round. */
  z.strictObject({ ...OfRound, kind: z.literal('merge') }),
  /** Delayed: announce again whatever of the round is missing. */
  z.strictObject({ ...OfRound, kind: z.literal('watch') }),
  /** Evaluate the last state, gate, release, move the channel. */
  z.strictObject({ ...OfJob, kind: z.literal('release') }),
]);
export type Task = z.infer<typeof Task>;

/** A job spec itself is accepted too: a job can be started by a message as well as over HTTP. */
export const QueueMessage = z.union([Task, JobSpec]);
export type QueueMessage = z.infer<typeof QueueMessage>;
