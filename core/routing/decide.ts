/**
 * The rules around every policy, in order: a pin, exclusions and a cost ceiling leave what there is to choose from;
 * what failed this request is not asked again; what is full is left out while something has room; a degraded variant is
 * for when nothing else is in time; a half-open target gets its one trial; an ejected one is left out while another
 * is healthy; among the rest the policy ranks.
 */
import { BELIEVED_MS, isFull, isInTime, type Try, TRY_LIMIT_MS } from './admission.ts';
import { affordable, attemptLimit } from './limits.ts';
import { COPY_EVERY } from './policies/predictive.ts';
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
import { hostOf } from './variants.ts';

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
export const EXCLUSIONS = ['pinned-elsewhere', 'excluded', 'above-cost-ceiling', 'tried'] as const;
export type Exclusion = (typeof EXCLUSIONS)[number];

/** Why a target that the request allows, and that is well, is not chosen from: `spare`, its variant is for need. */
export const PASSED_OVER = ['full', 'spare'] as const;
export type PassedOver = (typeof PASSED_OVER)[number];

/** @param by a place, or a target's name */
const isMeant = ({ id, place }: TargetSnapshot, by: TargetId) => place === by || id === by;

/** @returns undefined where it may be chosen, whatever its health */
export function exclusionOf(request: RouteRequest, target: TargetSnapshot): Exclusion | undefined {
  const { pin, exclude, costCeiling = Infinity, tried } = request;
  if (pin !== undefined && !isMeant(target, pin)) return 'pinned-elsewhere';
  if (exclude?.some((each) => isMeant(target, each)) === true) return 'excluded';
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
export const decide = <Memory>(
  policy: Policy<Memory>,
  view: View,
  memory: Memory,
): Choice<Memory> | undefined => decideAmong(policy, view, eligible(view.request, view.targets), memory);

/** @param open the eligible ones, where the caller has them already */
export function decideAmong<Memory>(
  policy: Policy<Memory>,
  view: View,
  open: readonly TargetSnapshot[],
  memory: Memory,
): Choice<Memory> | undefined {
  const { request } = view;
  const taken = request.tried.length > 0 ? again(view, open, memory) : choose(policy, view, open, memory);
  if (taken === undefined) return undefined;
  const decision: Decision = { ...predict(taken.target), reason: taken.reason };
  return {
    ...decision,
    memory: taken.memory,
    probes: taken.probes,
    shadow: taken.shadow && predict(taken.shadow),
    considered: open.map(predict),
    limitMs: attemptLimit(decision, request, open),
  };
}

/** Instead of a choice where nothing is in time, see admission.ts: the policy is not asked. */
export const tryOf = <Memory>(
  { target }: Try,
  open: readonly TargetSnapshot[],
  memory: Memory,
): Choice<Memory> => ({
  ...predict(target),
  reason: 'probe',
  memory,
  probes: [],
  shadow: undefined,
  considered: open.map(predict),
  limitMs: TRY_LIMIT_MS,
});

const isHealthy = ({ health }: TargetSnapshot) => health === 'healthy';
export const isSpare = ({ variant }: TargetSnapshot): boolean => variant?.isDegraded === true;

/** Those of them that are so, where there are any. */
function preferably(targets: readonly TargetSnapshot[], is: (target: TargetSnapshot) => boolean) {
  const such = targets.filter(is);
  return such.length > 0 ? such : targets;
}

/** One failure is enough for a request: no probes, no trials, but what is healthy first, and another isolate before the same. */
function again<Memory>(
  { request: { tried }, targets: all }: View,
  open: readonly TargetSnapshot[],
  memory: Memory,
): Taken<Memory> | undefined {
  const room = open.filter((target) => !isFull(target));
  if (room.length === 0) return undefined;
  const failed = all.filter(({ id }) => tried.includes(id)).map(hostOf);
  const elsewhere = preferably(preferably(room, isHealthy), (target) => !failed.includes(hostOf(target)));
  const exact = preferably(elsewhere, (each) => !isSpare(each));
  const target = least(exact, (each) => predict(each).predictedMs ?? 0);
  return { target, reason: 'fallback', memory, probes: [] };
}

function choose<Memory>(
  policy: Policy<Memory>,
  view: View,
  open: readonly TargetSnapshot[],
  memory: Memory,
): Taken<Memory> | undefined {
  const spare = open.filter(isSpare);
  // Only these are left: somebody asked for one by its name, or excluded the others.
  if (spare.length === 0 || spare.length === open.length) {
    const taken = chooseAmong(policy, view, open, memory);
    return taken && inTimeAtItsHost(taken, open, view.request.deadlineMs);
  }
  const exact = open.filter((each) => !spare.includes(each));
  const { now, random, request } = view;
  const taken = chooseAmong(policy, view, exact, memory)!;
  const serves = (each: TargetSnapshot) =>
    isHealthy(each) && !isFull(each) && isInTime(each, request.deadlineMs);
  const isServed = taken.reason === 'trial' || serves(taken.target);
  if (!isServed && spare.some(serves) && !exact.some((each) => each.parts !== null && serves(each))) {
    const target = least(spare.filter(serves), (each) => predict(each).predictedMs ?? Infinity);
    return { target, reason: 'degraded', memory, probes: [] };
  }
  // What is for need only is never chosen before, and could not be learned about.
  const shadow = taken.shadow ?? spare.find((each) => isUnlearned(each, now) && random() < 1 / COPY_EVERY);
  return { ...taken, shadow };
}

/**
 * Where the variant that a policy took is late and the other one of its host is in time, that one: which of them is
 * wanted more, a policy that looks at no deadline does not know.
 */
function inTimeAtItsHost<Memory>(
  taken: Taken<Memory>,
  open: readonly TargetSnapshot[],
  deadlineMs: number,
): Taken<Memory> {
  const { target: late, reason } = taken;
  if (late.variant === undefined || reason === 'trial' || isInTime(late, deadlineMs)) return taken;
  const other = open.find((each) => each !== late && hostOf(each) === hostOf(late));
  if (other === undefined || !isInTime(other, deadlineMs)) return taken;
  return { ...taken, target: other, reason: reason === 'pinned' ? reason : 'deadline' };
}

function chooseAmong<Memory>(
  policy: Policy<Memory>,
  view: View,
  open: readonly TargetSnapshot[],
  memory: Memory,
): Taken<Memory> | undefined {
  const { request } = view;
  const [first] = open;
  if (first === undefined) return undefined;
  const pinned = request.pin === undefined ? undefined : 'pinned';
  const fixed = (target: TargetSnapshot, reason: Reason) => ({ target, reason, memory, probes: [] });
  const ranked = (targets: readonly TargetSnapshot[]) => {
    const { probes = [], ...chosen } = policy.choose({ ...view, targets }, memory);
    return { ...chosen, probes, reason: pinned ?? chosen.reason };
  };
  if (open.length === 1) return fixed(first, pinned ?? 'only-target');
  const healthy = open.filter(isHealthy);
  const trial = open.find((each) => each.health === 'half-open' && !each.trialUnderWay);
  if (trial !== undefined && affordable(trial, healthy, request.deadlineMs)) return fixed(trial, 'trial');
  if (healthy.length === 0) return ranked(open);
  const room = preferably(healthy, (each) => !isFull(each));
  const [sole] = room;
  if (room.length > 1 || sole === undefined) return ranked(room);
  if (healthy.length > 1) return fixed(sole, pinned ?? 'full');
  const out = open.filter((each) => each !== sole);
  const isPlace = out.every(({ place }) => place !== sole.place);
  return fixed(sole, isPlace ? `${out[0]!.place}-ejected` : 'ejected');
}

const isUnlearned = ({ inFlight, lanes, answeredAt }: TargetSnapshot, now: number) =>
  inFlight < lanes && (answeredAt === null || now - answeredAt > BELIEVED_MS);
