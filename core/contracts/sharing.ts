/**
 * What the router's isolates of a point of presence tell each other, in zod's small form: the router carries it.
 * Weights and ages are as of the moment of writing, so that no two clocks are ever compared.
 */
import * as z from 'zod/mini';

/** Bounds of a summary: what is in a request of every isolate every second must not grow with what clients do. */
export const SHARED_TARGETS = 16;
export const SHARED_MODELS = 16;
/** Of a model's name with its version; one that is longer is not told. */
export const SHARED_NAME = 128;
/** Bytes of a message: twice what targets and models at their bounds take. */
export const SHARED_BYTES = 256 * 1024;

const amount = z.number().check(z.minimum(0));
const count = z.int().check(z.minimum(0), z.maximum(1_000_000));

/** A mean of readings, of `weight` fading readings; a sum of such sums is one too. */
const Estimate = z.strictObject({
  weight: amount,
  ms: amount,
  /** Mean absolute deviation, milliseconds. */
  deviation: amount,
  /** Payload size that `ms` stands for. */
  bytes: amount,
});
export type Estimate = z.infer<typeof Estimate>;

/** The moments of core/routing/line.ts. */
const Moments = z.strictObject({
  weight: amount,
  bytes: amount,
  ms: amount,
  bytesSquared: amount,
  mixed: z.number(),
});
export type Moments = z.infer<typeof Moments>;

const SizedSummary = z.strictObject({ mean: Estimate, line: Moments });
export type SizedSummary = z.infer<typeof SizedSummary>;

const ModelSummary = z.strictObject({
  service: SizedSummary,
  /** Milliseconds since it last answered. */
  answeredMs: amount,
});
export type ModelSummary = z.infer<typeof ModelSummary>;

const TargetSummary = z.strictObject({
  /** Requests sent and not yet answered. */
  inFlight: count,
  /** Isolates that had an answer of it lately, and those that have it ejected by failures they saw themselves. */
  answering: count,
  ejecting: count,
  /** Milliseconds since the last answer; null: there was none. */
  answeredMs: z.nullable(amount),
  /** Milliseconds until the first of the ejections runs out; 0 without any. */
  ejectedMs: amount,
  network: z.nullable(SizedSummary),
  cold: z.nullable(Estimate),
  /** The 95th percentile of actual over predicted time. */
  spread: z.strictObject({ weight: amount, value: z.number().check(z.minimum(1)) }),
  models: z.record(z.string().check(z.maxLength(SHARED_NAME)), ModelSummary),
});
export type TargetSummary = z.infer<typeof TargetSummary>;

/** Of one isolate, or of any number together. */
export const Summary = z.record(z.string().check(z.maxLength(SHARED_NAME)), TargetSummary);
export type Summary = z.infer<typeof Summary>;

/** Of a model, the release that its channel was pointed to through this isolate, and what that excludes. */
const Announcement = z.strictObject({
  release: z.int().check(z.minimum(0)),
  exclude: z.array(z.string().check(z.maxLength(SHARED_NAME))).check(z.maxLength(16)),
  ageMs: amount,
});
const Announcements = z.record(z.string().check(z.maxLength(SHARED_NAME)), Announcement);
export type Announcements = z.infer<typeof Announcements>;

/** An isolate to its point of presence. */
export const Telling = z.strictObject({
  v: z.literal(1),
  isolate: z.string().check(z.regex(/^[0-9a-f]{16}$/)),
  /** Counts up: of two tellings of an isolate the later one holds. */
  sequence: z.int().check(z.minimum(0)),
  summary: Summary,
  /** Left out where there are none: isolates of an earlier version do not know them. */
  announced: z.optional(Announcements),
});
export type Telling = z.infer<typeof Telling>;

/** The answer: what all others know together. */
export const Told = z.strictObject({
  v: z.literal(1),
  /** How many others. */
  isolates: count,
  summary: Summary,
  announced: z.optional(Announcements),
});
export type Told = z.infer<typeof Told>;
