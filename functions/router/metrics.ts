/** The router's metrics. Every label is of a closed set: clients cannot make series. */
import { createRegistry } from '../../core/telemetry/metrics.ts';
import { type Degradation, DEGRADATIONS } from '../../core/routing/cascade/escalate.ts';
import { healthAt } from '../../core/routing/ejection.ts';
import type { Reason } from '../../core/routing/policy.ts';
import type { Attempt, AttemptResult, RoutingState, TargetState } from '../../core/routing/state.ts';
import type { TargetId } from '../../core/routing/targets.ts';

/** Seconds: from what a warm model takes at the edge to the default deadline. */
const SECONDS_BUCKETS = [
  0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const;

/** How an answer may be less than what was asked: of a smaller variant, or of the smaller model of a cascade only. */
export const DEGRADED_KINDS = ['variant', 'cascade'] as const;
export type DegradedKind = (typeof DEGRADED_KINDS)[number];

/**
 * How far off predictions are is one histogram with a label for the direction: negative observations would make its
 * sum go down, and rate() of it nonsense (prometheus.io, "Histograms and summaries").
 * @param clock milliseconds
 */
export function routerMetrics(
  configured: readonly TargetId[],
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
    'Requests that the router answered with an error before it asked a target: late, full, deadline, or another.',
    ['status', 'reason'],
  );
  const attempts = registry.counter(
    'causeway_attempts_total',
    'Requests sent to a target, by how they ended.',
    ['target', 'result'],
  );
  const latency = registry.histogram(
    'causeway_target_latency_seconds',
    'From sending to the beginning of the answer, of the inference requests that were answered.',
    ['target'],
    SECONDS_BUCKETS,
  );
  const error = registry.histogram(
    'causeway_prediction_error_seconds',
    'By how much an answer was earlier or later than predicted when its request was sent.',
    ['target', 'answer'],
    SECONDS_BUCKETS,
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
  const probes = registry.counter(
    'causeway_probes_total',
    'Copies of requests sent to a target to learn about it.',
    ['target'],
  );
  const degraded = registry.counter(
    'causeway_degraded_total',
    'Answers that are marked as less than what was asked.',
    ['target', 'kind'],
  );
  const cascades = registry.counter(
    'causeway_cascade_answers_total',
    'Answers judged by a cascade: easy, hard and answered by the larger model, or why it was not.',
    ['result'],
  );
  // A series that begins with its first event hides that event from rate().
  for (const result of ['easy', 'hard', ...DEGRADATIONS]) cascades.add([result], 0);
  for (const target of configured) {
    hedges.add([target], 0);
    probes.add([target], 0);
    for (const kind of DEGRADED_KINDS) degraded.add([target, kind], 0);
  }
  const loadProbes = registry.counter(
    'causeway_load_probes_total',
    'Targets asked for their load beside the requests, by how it ended.',
    ['target', 'result'],
  );
  const exchanges = registry.counter(
    'causeway_exchanges_total',
    'Exchanges with the other isolates of the point of presence, by how they ended.',
    ['result'],
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
    answered(target: TargetId, reason: Reason, status: number): void {
      requests.add([target, reason, String(status)]);
    },
    refused(status: number, reason = 'other'): void {
      refused.add([String(status), reason]);
    },
    attempted({ target, infers, predictedMs }: Attempt, result: AttemptResult, ms: number): void {
      attempts.add([target, result.kind]);
      if (!infers || result.kind !== 'answered') return;
      latency.observe([target], ms / 1000);
      // A refusal is quicker than what was predicted, and no inference.
      if (predictedMs === null || result.refused) return;
      const answer = ms <= predictedMs ? 'early' : 'late';
      error.observe([target, answer], Math.abs(ms - predictedMs) / 1000);
    },
    probed(target: TargetId): void {
      probes.add([target]);
    },
    degraded(target: TargetId, kind: DegradedKind): void {
      degraded.add([target, kind]);
    },
    hedged(target: TargetId): void {
      hedges.add([target]);
    },
    fellBack(from: TargetId, to: TargetId): void {
      fallbacks.add([from, to]);
    },
    askedLoad(target: TargetId, isDone: boolean): void {
      loadProbes.add([target, isDone ? 'answered' : 'failed']);
    },
    exchanged(isDone: boolean): void {
      exchanges.add([isDone ? 'done' : 'failed']);
    },
    cascaded(result: 'easy' | 'hard' | Degradation): void {
      cascades.add([result]);
    },
    text: () => registry.text(),
  };
}
