import { z } from 'zod';
import { TARGETS } from '../routing/targets.ts';
import { VARIANT_NAMES } from '../registry/variant-names.ts';

export const TargetView = z.strictObject({
  /** False where the deployment has no such target (no cloud URL configured). */
  configured: z.boolean(),
  state: z.enum(['healthy', 'ejected']),
  inFlight: z.int().min(0),
  /** Since the isolate started. */
  requests: z.int().min(0),
  errors: z.int().min(0),
  /** Milliseconds; null before the first answer. */
  ewmaMs: z.number().nullable(),
  /** Over the most recent answers, in milliseconds. */
  p50Ms: z.number().nullable(),
  p95Ms: z.number().nullable(),
  p99Ms: z.number().nullable(),
});
export type TargetView = z.infer<typeof TargetView>;

/** `GET /v1/routing`: what this router isolate knows of its targets. */
export const RoutingView = z.strictObject({
  targets: z.strictObject({ edge: TargetView, cloud: TargetView }),
  /** The last decisions, newest first, at most 50. */
  recent: z.array(
    z.strictObject({
      at: z.iso.datetime(),
      model: z.string(),
      target: z.enum(TARGETS),
      reason: z.string(),
      /** Milliseconds the decision expected and what it came to. */
      predictedMs: z.number().nullable(),
      actualMs: z.number(),
      status: z.int(),
      /** Which file of the release computed the answer; null where the target did not say, as with errors. */
      variant: z.enum(VARIANT_NAMES).nullable(),
    }),
  ),
});
export type RoutingView = z.infer<typeof RoutingView>;
