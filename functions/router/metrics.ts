/** The router's metrics. Every label is of a closed set: clients cannot make series. */
import { createRegistry } from '../../core/telemetry/metrics.ts';
import { healthAt } from '../../core/routing/ejection.ts';
import type { Reason } from '../../core/routing/policy.ts';
import type { Attempt, AttemptResult, RoutingState, TargetState } from '../../core/routing/state.ts';
import type { TargetName } from '../../core/routing/targets.ts';

/** Seconds: from what a warm model takes at the edge to the default deadline. */
const LATENCY_BUCKETS = [
  0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const;

/** @param clock milliseconds */
export function routerMetrics(
  configured: readonly TargetName[],
  stateOf: () => RoutingState,
  clock: () => number,
) {
  const registry = createRegistry();
  const requests = registry.counter(
    'causeway_requests_total',
    'Answers to clients on /v2, by the target and reason that gave them.',
    ['target', 'reason', 'status'],
  );
  const refused = registry.counter(
    'causeway_refused_total',
    'Requests that the router answered with an error before it asked a target.',
    ['status'],
  );
  const attempts = registry.counter(
    'causeway_attempts_total',
    'Requests sent to a target, by how they ended.',
    ['target', 'result'],
  );
  const latency = registry.histogram(
    'causeway_target_latency_seconds',
    'From sending to the whole answer, of the inference requests that were answered.',
    ['target'],
    LATENCY_BUCKETS,
  );
  const fallbacks = registry.counter(
    'causeway_fallbacks_total',
    'Requests sent to another target after one failed them.',
    ['from', 'to'],
  );
  const hedges = registry.counter(
    'causeway_hedges_total',
    'Second requests sent because the first was later than predicted.',
    ['target'],
  );
  const each = (value: (target: TargetState) => number) => () =>
    configured.map((target) => [[target], value(stateOf().get(target)!)] as const);
  registry.gaugeOf(
    'causeway_in_flight',
    'Requests sent to a target and not yet answered.',
    ['target'],
    each(({ inFlight }) => inFlight),
  );
  registry.gaugeOf(
    'causeway_ejected',
    'Whether a target is ejected.',
    ['target'],
    each(({ health }) => (healthAt(health, clock()) === 'healthy' ? 0 : 1)),
  );
  registry.counterOf(
    'causeway_ejections_total',
    'Times a target was ejected.',
    ['target'],
    each(({ ejections }) => ejections),
  );

  return {
    answered(target: TargetName, reason: Reason, status: number): void {
      requests.add([target, reason, String(status)]);
    },
    refused(status: number): void {
      refused.add([String(status)]);
    },
    attempted({ target, infers }: Attempt, result: AttemptResult['kind'], ms: number): void {
      attempts.add([target, result]);
      if (infers && result === 'answered') latency.observe([target], ms / 1000);
    },
    hedged(target: TargetName): void {
      hedges.add([target]);
    },
    fellBack(from: TargetName, to: TargetName): void {
      fallbacks.add([from, to]);
    },
    text: () => registry.text(),
  };
}
