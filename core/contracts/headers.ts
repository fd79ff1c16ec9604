/** HTTP headers that are ours, and the standard ones we give a meaning to. */

/** Asked by clients of the router. */
export const REQUEST_HEADERS = {
  /** Milliseconds the client will wait for the answer, 1 to 600000. */
  deadline: 'x-causeway-deadline-ms',
  /** `auto`, `edge`, `cloud`, `edge-only`, `cloud-only`, or a target's name; left out: what the release says, or `auto`. */
  target: 'x-causeway-target',
  /** Places and names of targets, with commas: none of them is asked. */
  exclude: 'x-causeway-exclude',
  /** Money for the request, in millionths of a US dollar. */
  costCeiling: 'x-causeway-cost-ceiling',
  /** `fp32` or `int8`, asked by the router of a target that has both. */
  variant: 'x-causeway-variant',
  /** `off`, or a cascade such as `threshold=0.9`: says what the release's does not, docs/cascade.md. */
  cascade: 'x-causeway-cascade',
  requestId: 'x-request-id',
  traceparent: 'traceparent',
} as const;

/** Values of {@link REQUEST_HEADERS.cascade} that are no cascade; the second is the router's own. */
export const CASCADE_OFF = 'off';
/** Off, and only some rows of what a client asked: the model's rows must not depend on each other. */
export const CASCADE_PART = 'part';

/** Answered by the router. */
export const RESPONSE_HEADERS = {
  /** Who computed the answer: `edge`, `cloud`, or a target's name such as `edge-int8` or `cloud-eu`. */
  target: 'x-causeway-target',
  /** A short machine-readable phrase, see core/routing. */
  reason: 'x-causeway-reason',
  /** Why the answer is less than it might have been: `variant`, or what became of a cascade; docs/routing.md has all. */
  degraded: 'x-causeway-degraded',
  requestId: 'x-request-id',
  serverTiming: 'server-timing',
  traceparent: 'traceparent',
} as const;

/** Reported by an inference target to the router with each answer; the router strips none of them. */
export const TARGET_HEADERS = {
  /** Requests in flight in that isolate or function when it answered, this one included. */
  inFlight: 'x-causeway-in-flight',
  /** Milliseconds in the target, from request to answer; 0 where its clock stands still. */
  serviceMs: 'x-causeway-service-ms',
  /** The release that answered. */
  release: 'x-causeway-release',
  /** Which of its files: `fp32` or `int8`, see docs/quantization.md. */
  variant: 'x-causeway-variant',
  /** Rows in the run that computed the answer: more than were asked where requests ran as one batch. */
  batch: 'x-causeway-batch',
  /** `1` where the model had to be loaded for this request. */
  cold: 'x-causeway-cold',
  /** In a cascade, the rows of the answer that are hard: `none`, `0-3,7` or `all`. */
  hard: 'x-causeway-hard',
  /** In a cascade, the model to be asked about them: `name` or `name/version`; left out: the same one. */
  large: 'x-causeway-large',
} as const;

/** Told by an inference target to the router, beside the answer and not to the client: core/routing/told.ts. */
export const TOLD_HEADER = 'x-causeway-routing';

/** Reported by an inference target to who asks whether it lives, beside its requests in flight. */
export const PROBE_HEADERS = {
  /** Milliseconds that requests took lately at about the load there is; 0 where there were none, or its clock stands still. */
  latencyMs: 'x-causeway-latency-ms',
} as const;
