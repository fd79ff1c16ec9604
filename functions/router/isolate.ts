/**
 * What this isolate has learned. Isolates share no memory: each learns from its own answers, starts anew when the
 * platform starts it anew, and /metrics and /v1/routing speak of the isolate that happens to answer.
 */
import type { RoutingView, TargetView } from '../../core/contracts/routing.ts';
import { TARGETS, type TargetName } from '../../core/routing/targets.ts';
import type { Decision, Snapshot } from '../../core/routing/policy.ts';
import {
  abandoned,
  answered,
  failed,
  started,
  type TargetState,
  UNKNOWN,
} from '../../core/routing/target-state.ts';
import { createRegistry } from '../../core/telemetry/metrics.ts';
import { createWindow } from '../../core/telemetry/window.ts';

/** Latencies kept per target for the quantiles on the dashboard. */
const WINDOW = 512;
/** Decisions kept for `GET /v1/routing`. */
const RECENT = 50;
/** Seconds. */
const LATENCY_BUCKETS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

type RecentDecision = RoutingView['recent'][number];

interface Observed {
  state: TargetState;
  requests: number;
  errors: number;
  readonly latencies: ReturnType<typeof createWindow>;
}

export type Isolate = ReturnType<typeof createIsolate>;

export function createIsolate() {
  const observe = (): Observed => ({
    state: UNKNOWN,
    requests: 0,
    errors: 0,
    latencies: createWindow(WINDOW),
  });
  const targets: Record<TargetName, Observed> = { edge: observe(), cloud: observe() };
  const recent: RecentDecision[] = [];
  let decided = 0;

  const metrics = createRegistry();
  const requests = metrics.counter(
    'causeway_requests_total',
    'Inference requests by target, reason and status.',
  );
  const fallbacks = metrics.counter(
    'causeway_fallbacks_total',
    'Requests answered by the other target after a failure.',
  );
  const ejections = metrics.counter('causeway_ejections_total', 'Times a target was ejected.');
  const latency = metrics.histogram(
    'causeway_target_latency_seconds',
    'From sending to the whole answer, by target.',
    LATENCY_BUCKETS,
  );
  metrics.gauge('causeway_in_flight', 'Requests sent to a target and not yet answered.', () =>
    TARGETS.map((target) => [{ target }, targets[target].state.inFlight]),
  );

  return {
    metrics,
    snapshot(hasCloud: boolean): Snapshot {
      return {
        edge: { configured: true, ...targets.edge.state },
        cloud: { configured: hasCloud, ...targets.cloud.state },
      };
    },
    started(target: TargetName): void {
      const observed = targets[target];
      observed.state = started(observed.state);
      observed.requests += 1;
    },
    answered(target: TargetName, ms: number, now: number, cold: boolean): void {
      const observed = targets[target];
      observed.state = answered(observed.state, ms, now, cold);
      observed.latencies.add(ms);
      latency.observe({ target }, ms / 1000);
    },
    failed(target: TargetName, now: number): void {
      const observed = targets[target];
      const { ejectedUntil } = observed.state;
      observed.state = failed(observed.state, now);
      observed.errors += 1;
      if (observed.state.ejectedUntil > ejectedUntil) ejections.add({ target });
    },
    abandoned(target: TargetName): void {
      const observed = targets[target];
      observed.state = abandoned(observed.state);
    },
    decided(decision: Decision, outcome: { model: string; ms: number; status: number; now: number }): void {
      requests.add({ target: decision.target, reason: decision.reason, status: String(outcome.status) });
      if (decision.reason === 'fallback') fallbacks.add({ target: decision.target });
      recent[decided++ % RECENT] = {
        at: new Date(outcome.now).toISOString(),
        model: outcome.model,
        target: decision.target,
        reason: decision.reason,
        predictedMs: decision.predictedMs,
        actualMs: outcome.ms,
        status: outcome.status,
      };
    },
    view(hasCloud: boolean, now: number): RoutingView {
      const view = (target: TargetName): TargetView => {
        const { state, requests, errors, latencies } = targets[target];
        return {
          configured: target === 'edge' || hasCloud,
          state: state.ejectedUntil > now ? 'ejected' : 'healthy',
          inFlight: state.inFlight,
          requests,
          errors,
          ewmaMs: state.latencyMs,
          p50Ms: latencies.quantile(0.5),
          p95Ms: latencies.quantile(0.95),
          p99Ms: latencies.quantile(0.99),
        };
      };
      const newest = recent.map((_, age) => recent[(decided - 1 - age + RECENT * 2) % RECENT]);
      return {
        targets: { edge: view('edge'), cloud: view('cloud') },
        recent: newest.filter((decision) => decision !== undefined),
      };
    },
  };
}
