/** The edge while it is healthy, the cloud otherwise: what a deployment does that does not predict. The baseline. */
import type { Policy, Reason } from '../policy.ts';

export const edgeFirst: Policy = ({ pin }, snapshot, now) => {
  const usable = (target: 'edge' | 'cloud') =>
    snapshot[target].configured && snapshot[target].ejectedUntil <= now;
  const target = pin ?? (usable('edge') || !usable('cloud') ? 'edge' : 'cloud');
  const other = target === 'edge' ? 'cloud' : 'edge';
  let reason: Reason = target === 'edge' ? 'edge-faster' : 'edge-ejected';
  if (pin !== undefined) reason = 'pinned';
  else if (!snapshot[other].configured) reason = 'only-target';
  else if (!usable('edge') && !usable('cloud')) reason = 'all-ejected';
  const fallback = pin === undefined && snapshot[other].configured ? other : undefined;
  return { target, reason, predictedMs: snapshot[target].latencyMs, fallback };
};
