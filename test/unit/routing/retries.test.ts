import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  canRetry,
  INITIAL_RETRIES,
  RETRY_SHARE,
  retriesEarned,
  retryFailed,
  SAVED_RETRIES,
} from '../../../core/routing/retries.ts';

/** So many requests, of each whether it fails first, and whether its retry does as well. */
function run(requests: readonly { readonly fails: boolean; readonly retryFails: boolean }[]) {
  let budget = INITIAL_RETRIES;
  const count = { retried: 0, wasted: 0, given: 0 };
  for (const { fails, retryFails } of requests) {
    budget = retriesEarned(budget);
    if (!fails) continue;
    if (!canRetry(budget)) {
      count.given += 1;
      continue;
    }
    count.retried += 1;
    if (!retryFails) continue;
    count.wasted += 1;
    budget = retryFailed(budget);
  }
  return count;
}

it('one target dies: all of its requests are retried at the other, however many', () => {
  const count = run(Array.from({ length: 1_000 }, () => ({ fails: true, retryFails: false })));
  expect(count).toEqual({ retried: 1_000, wasted: 0, given: 0 });
});

it('all fail: their load grows by a tenth, not twofold', () => {
  const { retried } = run(Array.from({ length: 1_000 }, () => ({ fails: true, retryFails: true })));
  expect(retried).toBeLessThanOrEqual(SAVED_RETRIES + 1_000 * RETRY_SHARE);
  expect(retried).toBeGreaterThan(1_000 * RETRY_SHARE);
});

it('whatever fails, failed retries are at most what was saved and a tenth of the requests', () => {
  const request = fc.record({ fails: fc.boolean(), retryFails: fc.boolean() });
  fc.assert(
    fc.property(fc.array(request, { maxLength: 2_000 }), (requests) => {
      expect(run(requests).wasted).toBeLessThanOrEqual(SAVED_RETRIES + requests.length * RETRY_SHARE);
    }),
  );
});
