import { z } from 'zod';
import { REFUSALS } from '../routing/admission.ts';
import { EXCLUSIONS, PASSED_OVER } from '../routing/decide.ts';
import { OBSTACLES } from '../routing/hedging.ts';
import { HEALTH, REASONS } from '../routing/policy.ts';
import { PLACES } from '../routing/targets.ts';

const Ms = z.number();
const Reason = z.enum(REASONS);

/** One target as a decision saw it. */
const TargetRow = z.strictObject({
  target: z.string(),
  place: z.enum(PLACES),
  health: z.enum(HEALTH),
  /** Requests that are there, and how many it works on at once. */
  inFlight: z.number(),
  lanes: z.number(),
  /** Share of its lanes at work lately, 0 to 1. */
  busy: z.number(),
  /** Millionths of a dollar a request. */
  cost: z.number(),
  /** What the prediction is made of, milliseconds; null: nothing is known. */
  parts: z.strictObject({ network: Ms, queue: Ms, service: Ms, cold: Ms }).nullable(),
  predictedMs: Ms.nullable(),
  /** Exceeded by one request in twenty. */
  p95Ms: Ms.nullable(),
  /** Milliseconds since its latency was last learned; null: never. */
  learnedMsAgo: Ms.nullable(),
  /** Whether it is predicted in time at the 95th percentile, on average only, or not at all. */
  inTime: z.enum(['surely', 'usually', 'late', 'unknown']),
  /** What the policy ranks by, the least first; null where it has no such figure. */
  score: z.number().nullable(),
  /** Why it was not to be chosen from; null: it was. */
  excluded: z.enum([...EXCLUSIONS, ...OBSTACLES, ...PASSED_OVER]).nullable(),
});

/** A look at the targets: for the first attempt, for one beside it that is late, for one after it failed. */
const DecisionRow = z.strictObject({
  kind: z.enum(['first', 'hedge', 'fallback', 'cascade']),
  /** Since the request arrived. */
  atMs: Ms,
  /** Of the deadline. */
  leftMs: Ms,
  /** null: none was asked. */
  target: z.string().nullable(),
  reason: Reason.nullable(),
  /** Why the request went nowhere, and was answered 503 at once; null: it did not come to that. */
  refused: z.enum(REFUSALS).nullable(),
  /** Sent the same request at the same time, to learn about it. */
  shadow: z.string().nullable(),
  /** A hedge that was due and not sent, though a target had room: the budget for second attempts was spent. */
  outOfBudget: z.boolean(),
  targets: z.array(TargetRow),
});

const AttemptRow = z.strictObject({
  target: z.string(),
  reason: Reason,
  /** Since the request arrived. */
  atMs: Ms,
  /** It had so long. */
  limitMs: Ms,
  predictedMs: Ms.nullable(),
  /** From sending to the beginning of the answer, or to its end otherwise; null: it was still under way. */
  actualMs: Ms.nullable(),
  result: z.enum(['answered', 'overloaded', 'failed', 'timeout', 'cancelled', 'under-way']),
  /** As the target reported them; null: it did not. */
  serviceMs: Ms.nullable(),
  inFlight: z.number().nullable(),
  cold: z.boolean().nullable(),
});

/**
 * Why a request was answered as it was: the member `explanation` of the answer to
 * `POST /v2/models/{m}[/versions/{v}]/infer?explain=1`. Times are milliseconds on the router isolate's clock.
 */
export const Explanation = z.strictObject({
  model: z.string(),
  policy: z.string(),
  bytes: z.int(),
  deadlineMs: Ms,
  /** A place, or a target. */
  pin: z.string().nullable(),
  /** In the order they were made. */
  decisions: z.array(DecisionRow),
  /** In the order they were sent. */
  attempts: z.array(AttemptRow),
  /** null where the router refused the request itself. */
  target: z.string().nullable(),
  reason: Reason.nullable(),
  status: z.int(),
  /** From the request's arrival to the beginning of the answer. */
  actualMs: Ms,
});
export type Explanation = z.infer<typeof Explanation>;
