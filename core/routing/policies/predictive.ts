/**
 * The default policy: the target that is predicted to answer first, weighed by its load.
 *
 * cost = latency × (in flight + 1), the cost function of Finagle's Peak EWMA balancer: the latency is what was
 * observed, the factor stands for the work already sent there and not yet seen in it.
 */
import { TARGETS, type TargetName } from '../targets.ts';
import type { Decision, Policy, Reason, Snapshot, TargetSnapshot } from '../policy.ts';

/** An estimate older than this may be wrong: the target gets a little real traffic to learn from. */
export const STALE_MS = 5_000;
/** Share of the requests that may probe a stale target. */
export const PROBE_SHARE = 0.02;
/** A probe must not cost the client its answer: the deadline must leave room for this many of the stale latencies. */
const PROBE_DEADLINE_FACTOR = 4;

const other = (target: TargetName): TargetName => (target === 'edge' ? 'cloud' : 'edge');

export const cost = ({ latencyMs, inFlight }: TargetSnapshot) => (latencyMs ?? 0) * (inFlight + 1);

export const predictive: Policy = (request, snapshot, now, random) => {
  const decide = (target: TargetName, reason: Reason): Decision => ({
    target,
    reason,
    predictedMs: snapshot[target].latencyMs,
    fallback: request.pin === undefined && snapshot[other(target)].configured ? other(target) : undefined,
  });
  if (request.pin !== undefined) return decide(request.pin, 'pinned');

  const configured = TARGETS.filter((target) => snapshot[target].configured);
  const only = configured.length === 1 ? configured[0] : undefined;
  if (only !== undefined) return decide(only, 'only-target');
  const healthy = configured.filter((target) => snapshot[target].ejectedUntil <= now);
  const sole = healthy.length === 1 ? healthy[0] : undefined;
  if (sole !== undefined) return decide(sole, sole === 'edge' ? 'cloud-ejected' : 'edge-ejected');
  const best = cost(snapshot.edge) <= cost(snapshot.cloud) ? 'edge' : 'cloud';
  if (healthy.length === 0) return decide(best, 'all-ejected');

  // Nothing known of the edge: it is near and private, and one request tells what it is like.
  if (snapshot.edge.latencyMs === null) return decide('edge', 'untried-edge');
  const probe = probeTarget(snapshot, best, request.deadlineMs, now);
  if (probe !== undefined && random < PROBE_SHARE) return decide(probe, 'probe');
  // Nothing known of the cloud is no promise: the edge answers until a probe has been there.
  const chosen = snapshot.cloud.latencyMs === null ? 'edge' : best;
  if (!fits(snapshot[chosen], request.deadlineMs) && fits(snapshot[other(chosen)], request.deadlineMs)) {
    return decide(other(chosen), 'deadline');
  }
  return decide(chosen, chosen === 'edge' ? 'edge-faster' : 'cloud-faster');
};

function fits({ latencyMs }: TargetSnapshot, deadlineMs: number): boolean {
  return latencyMs === null || latencyMs <= deadlineMs;
}

/** The target that is not the best one, where what is known of it is old and the deadline can bear it. */
function probeTarget(
  snapshot: Snapshot,
  best: TargetName,
  deadlineMs: number,
  now: number,
): TargetName | undefined {
  const target = snapshot.cloud.latencyMs === null ? 'cloud' : other(best);
  const { answeredAt, latencyMs } = snapshot[target];
  const stale = answeredAt === null || now - answeredAt > STALE_MS;
  return stale && deadlineMs >= (latencyMs ?? 0) * PROBE_DEADLINE_FACTOR ? target : undefined;
}
