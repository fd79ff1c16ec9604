/**
 * The retry budget: second attempts after a failure must not double the load on a system that is failing (Beyer et al.
 * 2016, "Site Reliability Engineering", chapter 21: retries are kept to a tenth of the requests; Finagle,
 * `RetryBudget`; Envoy, `retry_budget`).
 *
 * What differs: a retry is paid for when it fails as well. One that is answered took load from a target that failed
 * to one that does not, and nobody should fail whose answer was to be had; when a place dies, all of its requests
 * are such. Where both fail, the retries are what they must not be, and soon there are none but the tenth.
 */

/** Failed retries per request in the long run. */
export const RETRY_SHARE = 0.1;
/** Failed retries that may be saved up. */
export const SAVED_RETRIES = 20;

/** Failed retries that can be paid for. */
export type RetryBudget = number;

/** A new isolate may retry: what is down may be so just when it starts. */
export const INITIAL_RETRIES: RetryBudget = SAVED_RETRIES;
export const retriesEarned = (budget: RetryBudget): RetryBudget =>
  Math.min(SAVED_RETRIES, budget + RETRY_SHARE);
export const canRetry = (budget: RetryBudget): boolean => budget >= 1;
/** May fall below nothing: those that were under way together fail together. */
export const retryFailed = (budget: RetryBudget): RetryBudget => budget - 1;
