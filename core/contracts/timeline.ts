/** `GET /v1/jobs/{id}/timeline`: when what of a job ran, and where. A page of rounds, or of parts. */
import { z } from 'zod';
import { FanOutKind } from './fan-out.ts';
import { JobStatus } from './job-status.ts';
import { JobId, Timestamp, wholeText } from './primitives.ts';

/** Rounds or parts of one page where nobody says how many, and the most bars of one: an answer stays below half a megabyte. */
export const TIMELINE_PAGE = { rounds: 16, parts: 200, bars: 2_000 } as const;

/** A function's run, from its beginning to its report; what it wrote after that is not in it. */
export const Ran = z.strictObject({
  startedAt: Timestamp,
  seconds: z.number().min(0),
  /** Which warm function, where it said. */
  place: z.string().optional(),
  /** Of a backup copy: which one, counted over the round. */
  copy: z.int().min(1).optional(),
  /** Which delivery of its message, where not the first. */
  attempt: z.int().min(2).optional(),
});
export type Ran = z.infer<typeof Ran>;

/**
 * `open`: nothing is known of its end. `done`: its update is there. `lost`: none will come. Of a closed round also
 * `missing`: it closed without it, and `late`: its update came after that and was refused.
 */
const ShardState = z.enum(['open', 'done', 'lost', 'missing', 'late']);

export const TimelineShard = z.strictObject({
  shard: z.int().min(0),
  state: ShardState,
  /** Each goes on where the one before handed on; of an open shard those that have. Executions that died leave none. */
  ran: z.array(Ran),
  /** When its update was seen in the bucket; left out where the commit is all there is. */
  writtenAt: Timestamp.optional(),
  samples: z.int().optional(),
  /** Of a lost shard. */
  reason: z.string().optional(),
});
export type TimelineShard = z.infer<typeof TimelineShard>;

export const TimelineRound = z.strictObject({
  round: z.int().min(0),
  /** The commit, or the plan, that had its shards queued. */
  announcedAt: Timestamp,
  shards: z.array(TimelineShard),
  /** What the merge took; of several mergers together. */
  mergeSeconds: z.number().min(0).optional(),
  /** How many merge it. */
  mergers: z.int().min(1),
  committedAt: Timestamp.optional(),
});
export type TimelineRound = z.infer<typeof TimelineRound>;

export const TimelinePart = z.strictObject({
  part: z.int().min(0),
  state: z.enum(['open', 'done']),
  /** Rows, or items. */
  rows: z.int().min(1),
  ran: z.array(Ran),
  writtenAt: Timestamp.optional(),
});
export type TimelinePart = z.infer<typeof TimelinePart>;

const Of = {
  job: JobId,
  status: JobStatus,
  acceptedAt: Timestamp,
  plannedAt: Timestamp.optional(),
  endedAt: Timestamp.optional(),
  /** When it was looked at: where bars that have no end go to. */
  now: Timestamp,
  /** Round, or part, that the page begins with. */
  first: z.int().min(0),
};

export const TrainTimeline = z.strictObject({
  ...Of,
  kind: z.literal('train'),
  shards: z.int().min(0),
  /** How many there will be; 0 until planned. */
  rounds: z.int().min(0),
  /** Rounds that can be asked for: committed and open ones. */
  begun: z.int().min(0),
  /** Rounds that are under way at the same time. */
  overlap: z.int().min(1),
  page: z.array(TimelineRound),
});
export type TrainTimeline = z.infer<typeof TrainTimeline>;

export const FanOutTimeline = z.strictObject({
  ...Of,
  kind: FanOutKind,
  /** 0 until planned. */
  parts: z.int().min(0),
  page: z.array(TimelinePart),
});
export type FanOutTimeline = z.infer<typeof FanOutTimeline>;

export const JobTimeline = z.discriminatedUnion('kind', [TrainTimeline, FanOutTimeline]);
export type JobTimeline = z.infer<typeof JobTimeline>;

/** Left out, `first` is such that the page ends with what is newest. A page may be shorter than `limit`. */
export const TimelineQuery = z.strictObject({
  first: wholeText(0, 999_999_999).optional(),
  limit: wholeText(1, 1_000).optional(),
});
export type TimelineQuery = z.infer<typeof TimelineQuery>;
