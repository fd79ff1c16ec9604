/**
 * The rules around every policy, in order: a pin and a cost ceiling exclude; what failed this request is not asked
 * again; a half-open target gets its one trial; an ejected one is left out while another is healthy; among the rest
 * the policy ranks.
 */
import { affordable, attemptLimit } from './limits.ts';
import {
  type Decision,
  least,
  type Policy,
  predict,
  type Prediction,
  type Reason,
  type RouteRequest,
  type TargetSnapshot,
  type View,
} from './policy.ts';
import type { TargetId } from './targets.ts';

export interface Choice<Memory = unknown> extends Decision {
  /** Milliseconds this attempt may take: what it leaves of the deadline is for the fallback. */
  readonly limitMs: number;
  /** All that might have been taken, the chosen one among them. */
  readonly considered: readonly Prediction[];
  readonly memory: Memory;
  /** Targets to be asked for their load. */
  readonly probes: readonly TargetId[];
  /** Gets the same request at the same time, if the budget for second requests allows. */
  readonly shadow: Prediction | undefined;
}

/** Why the request itself rules a target out. */
export const EXCLUSIONS = ['pinned-elsewhere', 'above-cost-ceiling', 'tried'] as const;
export type Exclusion = (typeof EXCLUSIONS)[number];

/** @returns undefined where it may be chosen, whatever its health */
export function exclusionOf(request: RouteRequest, target: TargetSnapshot): Exclusion | undefined {
  const { pin, costCeiling = Infinity, tried } = request;
  if (pin !== undefined && target.place !== pin) return 'pinned-elsewhere';
  if (target.cost > costCeiling) return 'above-cost-ceiling';
  return tried.includes(target.id) ? 'tried' : undefined;
}

/** What the request leaves to choose from, whatever their health. */
export const eligible = (request: RouteRequest, targets: readonly TargetSnapshot[]): TargetSnapshot[] =>
  targets.filter((target) => exclusionOf(request, target) === undefined);

type Taken<Memory> = Pick<Choice<Memory>, 'memory' | 'probes'> & {
  readonly shadow?: TargetSnapshot | undefined;
  readonly target: TargetSnapshot;
  readonly reason: Reason;
};

/**
 * @param view its targets are all that are configured, the edge first
 * @returns undefined where there is no target left
 */
export function decide<Memory>(
  policy: Policy<Memory>,
  view: View,
  memory: Memory,
): Choice<Memory> | undefined {
  const open = eligible(view.request, view.targets);
  const taken = choose(policy, { ...view, targets: open }, memory);
  if (taken === undefined) return undefined;
  const decision: Decision = { ...predict(taken.target), reason: taken.reason };
  return {
    ...decision,
    memory: taken.memory,
    probes: taken.probes,
    shadow: taken.shadow && predict(taken.shadow),
    considered: open.map(predict),
    limitMs: attemptLimit(decision, view.request, open),
  };
}

function choose<Memory>(policy: Policy<Memory>, view: View, memory: Memory): Taken<Memory> | undefined {
  const { request, targets: open } = view;
  const [first] = open;
  if (first === undefined) return undefined;
  const fixed = (target: TargetSnapshot, reason: Reason) => ({ target, reason, memory, probes: [] });
  const ranked = (targets: readonly TargetSnapshot[], reason?: Reason) => {
    const { probes = [], ...chosen } = policy.choose({ ...view, targets }, memory);
    return { ...chosen, probes, reason: reason ?? chosen.reason };
  };
  const healthy = open.filter(({ health }) => health === 'healthy');
  // One failure is enough for a request: no probes, no trials, but what is healthy first.
  if (request.tried.length > 0) {
    const target = least(healthy.length > 0 ? healthy : open, (each) => predict(each).predictedMs ?? 0);
    return fixed(target, 'fallback');
  }
  if (open.length === 1) return fixed(first, request.pin === undefined ? 'only-target' : 'pinned');
  const trial = open.find((each) => each.health === 'half-open' && !each.trialUnderWay);
  if (trial !== undefined && affordable(trial, healthy, request.deadlineMs)) return fixed(trial, 'trial');
  if (healthy.length === 0) return ranked(open, request.pin === undefined ? undefined : 'pinned');
  const [sole] = healthy;
  if (healthy.length === 1 && sole !== undefined && open.length > 1) {
    const out = open.filter((each) => each !== sole);
    const isPlace = out.every(({ place }) => place !== sole.place);
    return fixed(sole, isPlace ? `${out[0]!.place}-ejected` : 'ejected');
  }
  return ranked(healthy, request.pin === undefined ? undefined : 'pinned');
}
