/** What a run came to, in the figures people compare. */
import type { TargetId } from '../routing/targets.ts';
import type { Outcome } from './router.ts';

export interface Report {
  readonly requests: number;
  /** Milliseconds; a request without an answer in time counts with its deadline. */
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  /** Shares of the requests. */
  readonly missed: number;
  readonly refused: number;
  readonly hedged: number;
  /** Requests sent beyond one each, over the requests. */
  readonly extra: number;
  /** Of the answers, by target. */
  readonly shares: Readonly<Record<TargetId, number>>;
  /** Mean of |predicted − actual| over the mean of the actual, of the answers to first attempts. */
  readonly predictionError: number | null;
}

/** Nearest rank. */
export function percentile(sorted: Float64Array, q: number): number {
  if (sorted.length === 0) return 0;
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))]!;
}

export function reportOf(outcomes: readonly Outcome[]): Report {
  const requests = outcomes.length;
  const sorted = Float64Array.from(outcomes, ({ latencyMs }) => latencyMs).sort();
  const share = (is: (outcome: Outcome) => boolean) => outcomes.filter(is).length / Math.max(1, requests);
  const answered = outcomes.filter(({ target }) => target !== undefined);
  const shares: Record<TargetId, number> = {};
  for (const { target } of answered) shares[target!] = (shares[target!] ?? 0) + 1 / answered.length;
  const predicted = answered.filter(
    ({ predictedMs, attempts }) => predictedMs !== null && attempts.length === 1,
  );
  const actual = predicted.reduce((sum, { latencyMs }) => sum + latencyMs, 0);
  const error = predicted.reduce((sum, each) => sum + Math.abs(each.predictedMs! - each.latencyMs), 0);
  return {
    requests,
    meanMs: sorted.reduce((sum, ms) => sum + ms, 0) / Math.max(1, requests),
    p50Ms: percentile(sorted, 0.5),
    p95Ms: percentile(sorted, 0.95),
    p99Ms: percentile(sorted, 0.99),
    p999Ms: percentile(sorted, 0.999),
    missed: share(({ target }) => target === undefined),
    refused: share(({ refused }) => refused),
    hedged: share(({ hedged }) => hedged),
    extra:
      outcomes.reduce((sum, { attempts }) => sum + Math.max(0, attempts.length - 1), 0) /
      Math.max(1, requests),
    shares,
    predictionError: actual === 0 ? null : error / actual,
  };
}
