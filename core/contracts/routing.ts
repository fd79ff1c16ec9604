import { z } from 'zod';
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
  /** By name; further regions of the cloud are `cloud-<region>`. */
  targets: z.object({ edge: TargetView, cloud: TargetView }).catchall(TargetView),
  /** The last decisions, newest first, at most 50. */
  recent: z.array(
    z.strictObject({
      at: z.iso.datetime(),
      model: z.string(),
      /** By name: `edge-int8` where the edge has a choice of variants. */
      target: z.string(),
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
