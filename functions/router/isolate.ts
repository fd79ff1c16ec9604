/**
 * What this isolate keeps between requests: what it has learned of the targets, its metrics and its last decisions.
 * Isolates share no memory: each learns by itself and starts anew when the platform starts it anew, and /metrics and
 * /v1/routing speak of the isolate that happens to answer.
 */
import type { RoutingView, TargetView } from '../../core/contracts/routing.ts';
import { decide } from '../../core/routing/decide.ts';
import { healthAt } from '../../core/routing/ejection.ts';
import { ewmaValue, quantile } from '../../core/routing/estimate.ts';
import { edgeFirst } from '../../core/routing/policies/edge-first.ts';
import { POLICIES, type PolicyName } from '../../core/routing/policies/table.ts';
import type { Reason, RouteRequest } from '../../core/routing/policy.ts';
import {
  type Attempt,
  attemptOf,
  type AttemptResult,
  ended,
  initialState,
  snapshot,
  started,
  type TargetState,
} from '../../core/routing/state.ts';
import { TARGETS, type TargetName } from '../../core/routing/targets.ts';
import { routerMetrics } from './metrics.ts';
import { createRecent, type Routed } from './recent.ts';

export interface IsolateOptions {
  readonly policy: PolicyName;
  readonly hasCloud: boolean;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
  /** Unix milliseconds. */
  readonly wallClock: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** A request on its way to a target. */
export interface Sent {
  readonly attempt: Attempt;
  readonly predictedMs: number | null;
  readonly limitMs: number;
}

export type Isolate = ReturnType<typeof createIsolate>;

export function createIsolate({ policy, hasCloud, clock, wallClock, random }: IsolateOptions) {
  let state = initialState({ edge: true, cloud: hasCloud });
  const recent = createRecent();
  const metrics = routerMetrics(() => state, clock);

  return {
    /**
     * Decides and counts the request as sent; `finish` must be called for each.
     * @param infers whether it computes: other requests are not worth comparing and go to the edge first
     * @returns undefined where no target is left
     */
    begin(request: RouteRequest, infers: boolean): Sent | undefined {
      const now = clock();
      const targets = snapshot(state, request.model, now);
      const choice = decide(infers ? POLICIES[policy] : edgeFirst, request, targets, now, random);
      if (choice === undefined) return undefined;
      const { target, reason, predictedMs, limitMs } = choice;
      const attempt = attemptOf(state, { target, model: request.model, reason, infers }, now);
      state = started(state, attempt);
      if (request.failed !== undefined) metrics.fellBack(request.failed, target);
      return { attempt, predictedMs, limitMs };
    },
    /** @returns milliseconds since it was sent */
    finish({ attempt }: Sent, result: AttemptResult): number {
      const now = clock();
      const ms = Math.max(0, now - attempt.startedAt);
      state = ended(state, attempt, result, now);
      metrics.attempted(attempt, result.kind, ms);
      return ms;
    },
    /** The client's answer. */
    answered(target: TargetName, reason: Reason, status: number): void {
      metrics.answered(target, reason, status);
    },
    /** Kept for the view: inference requests only. */
    routed(routed: Omit<Routed, 'at'>): void {
      recent.add({ ...routed, at: wallClock() });
    },
    /** Answered with an error by the router itself. */
    refused: (status: number) => metrics.refused(status),
    metricsText: () => metrics.text(),
    view(): RoutingView {
      const now = clock();
      const [edge, cloud] = TARGETS.map((target) => targetView(state[target], now));
      return { targets: { edge: edge!, cloud: cloud! }, recent: recent.newestFirst() };
    },
  };
}

function targetView(known: TargetState, now: number): TargetView {
  return {
    configured: known.configured,
    state: healthAt(known.health, now) === 'healthy' ? 'healthy' : 'ejected',
    inFlight: known.inFlight,
    requests: known.requests,
    errors: known.errors,
    ewmaMs: known.warm === null ? null : ewmaValue(known.warm, now),
    p50Ms: quantile(known.window, 0.5),
    p95Ms: quantile(known.window, 0.95),
    p99Ms: quantile(known.window, 0.99),
  };
}
