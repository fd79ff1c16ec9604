/** Bodies of the task queue's messages. */
import { z } from 'zod';
import type { JobSpec } from './job.ts';
import { JobId, V1 } from './primitives.ts';

const OfJob = { v: V1, job: JobId };
const OfRound = { ...OfJob, round: z.int().min(0) };

/** Of the looks at a round, or at the parts of a job, the how manieth: see core/jobs/watch-chain.ts. Left out: the first. */
const LookNumber = z.int().min(1).optional();
/** Do not wait: nothing of the job is announced, it was paused or all its messages may be lost. */
const Announce = z.literal(true).optional();

export const Task = z.discriminatedUnion('kind', [
  /** Split the work, write the plan, announce round 0, or the parts. */
  z.strictObject({ ...OfJob, kind: z.literal('plan') }),
  /** Train one shard for one round, write its update. */
  z.strictObject({
    ...OfRound,
    kind: z.literal('shard'),
    shard: z.int().min(0),
    /** The checkpoint to go on from; left out: from the round's beginning. */
    part: z.int().min(1).optional(),
    /** A backup copy: which one, counted over the round. It is told, and decides nothing. */
    copy: z.int().min(1).optional(),
  }),
  /**
   * Merge the round's updates, commit, announce the next round. With several mergers: have each merge its slice, the
   * task that names it, and commit when all are done.
   */
  z.strictObject({
    ...OfRound,
    kind: z.literal('merge'),
    /** The missing shards are lost: a quorum is enough. */
    partial: z.literal(true).optional(),
    slice: z.int().min(0).optional(),
  }),
  /** Delayed: look whether the round goes on, and announce again what is slow or lost. */
  z.strictObject({
    ...OfRound,
    kind: z.literal('watch'),
    /** What earlier looks at this round saw; see core/jobs/stragglers.ts. */
    look: z.int().min(0).optional(),
    seen: z.int().min(0).optional(),
    copies: z.int().min(0).optional(),
    number: LookNumber,
    announce: Announce,
  }),
  /** Evaluate the last state, gate, release, move the channel. */
  z.strictObject({ ...OfJob, kind: z.literal('release') }),
  /** Do one part of a job that is split and merged, write its report. */
  z.strictObject({ ...OfJob, kind: z.literal('execute'), part: z.int().min(0) }),
  /** Make one whole of all parts, end the job. */
  z.strictObject({ ...OfJob, kind: z.literal('gather') }),
  /** Delayed: announce missing parts again, where no more are done than the last time. */
  z.strictObject({
    ...OfJob,
    kind: z.literal('recheck'),
    done: z.int().min(0),
    /** Looks in a row that saw no more done. */
    look: z.int().min(0).optional(),
    number: LookNumber,
    announce: Announce,
  }),
]);
export type Task = z.infer<typeof Task>;

/** A job spec itself is accepted too: a job can be started by a message as well as over HTTP. */
export type QueueMessage = Task | JobSpec;
