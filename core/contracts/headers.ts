/** HTTP headers that are ours, and the standard ones we give a meaning to. */

/** Asked by clients of the router. */
export const REQUEST_HEADERS = {
  /** Milliseconds the client will wait for the answer, 1 to 600000. */
  deadline: 'x-causeway-deadline-ms',
  /** `edge`, `cloud` or `auto` (default). */
  target: 'x-causeway-target',
  requestId: 'x-request-id',
  traceparent: 'traceparent',
} as const;

/** Answered by the router. */
export const RESPONSE_HEADERS = {
  /** `edge` or `cloud`: who computed the answer. */
  target: 'x-causeway-target',
  /** A short machine-readable phrase, see core/routing. */
  reason: 'x-causeway-reason',
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
} as const;
