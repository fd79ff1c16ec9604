/**
 * The rules around every policy, in order: a pin holds; what failed this request is not asked again; a half-open
 * target gets its one trial; an ejected one is left out while another is healthy; among the rest the policy ranks.
 */
import { affordable, attemptLimit } from './limits.ts';
import { type Decision, type Policy, type RouteRequest, take, type TargetSnapshot } from './policy.ts';

export interface Choice extends Decision {
  /** Milliseconds this attempt may take: what it leaves of the deadline is for the fallback. */
  readonly limitMs: number;
}

/**
 * @param targets the configured ones, the edge first
 * @param now milliseconds
 * @param random uniform in [0, 1)
 * @returns undefined where there is no target left (or the pinned one is not configured)
 */
export function decide(
  policy: Policy,
  request: RouteRequest,
  targets: readonly TargetSnapshot[],
  now: number,
  random: () => number,
): Choice | undefined {
  const { pin } = request;
  if (pin !== undefined) {
    const pinned = targets.find(({ target }) => target === pin);
    if (pinned === undefined || request.failed === pin) return undefined;
    return { ...take(pinned, 'pinned', []), limitMs: request.deadlineMs };
  }
  const open = targets.filter(({ target }) => target !== request.failed);
  const decision = choose(policy, request, open, now, random);
  return decision && { ...decision, limitMs: attemptLimit(decision, request, open) };
}

function choose(
  policy: Policy,
  request: RouteRequest,
  open: readonly TargetSnapshot[],
  now: number,
  random: () => number,
): Decision | undefined {
  const [first] = open;
  if (first === undefined) return undefined;
  // One failure is enough for a request: a second target is taken as it is.
  if (request.failed !== undefined) {
    if (open.length === 1) return take(first, 'fallback', open);
    return { ...policy(request, open, now, () => 1), reason: 'fallback' };
  }
  if (open.length === 1) return take(first, 'only-target', open);
  const healthy = open.filter(({ health }) => health === 'healthy');
  const trial = open.find((each) => each.health === 'half-open' && !each.trialUnderWay);
  if (trial !== undefined && affordable(trial, healthy, request.deadlineMs))
    return take(trial, 'trial', open);
  const [sole] = healthy;
  if (sole === undefined) return policy(request, open, now, random);
  if (healthy.length > 1) return policy(request, healthy, now, random);
  const ejected = open.find((each) => each !== sole);
  return take(sole, ejected?.target === 'edge' ? 'edge-ejected' : 'cloud-ejected', open);
}
