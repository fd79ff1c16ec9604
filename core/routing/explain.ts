/**
 * The table behind a decision: what was seen of each target, what was predicted of it, and why it was left out. It
 * reads the very snapshot that was decided on, by the rules that decided: exclusion, obstacles, the policy's score.
 */
import type { Explanation } from '../contracts/explanation.ts';
import { isFull } from './admission.ts';
import { eligible, type Exclusion, exclusionOf, isSpare, type PassedOver } from './decide.ts';
import { type Obstacle, obstacleOf } from './hedging.ts';
import { type Policy, predict, type Prediction, type RouteRequest, type TargetSnapshot } from './policy.ts';
import type { TargetId } from './targets.ts';

export type DecisionRow = Explanation['decisions'][number];
export type TargetRow = DecisionRow['targets'][number];

/** What was decided on, and what came of it. */
export interface Look {
  readonly kind: DecisionRow['kind'];
  readonly request: RouteRequest;
  readonly targets: readonly TargetSnapshot[];
  readonly now: number;
  readonly chosen: TargetId | undefined;
}

/** Milliseconds to the microsecond: a table, not a record. */
export const rounded = (value: number): number => Math.round(value * 1000) / 1000;
const orNull = (value: number | null): number | null => (value === null ? null : rounded(value));

/** One row a target, in the order of the configuration. */
export const explainTargets = (look: Look, { score }: Pick<Policy, 'score'>): TargetRow[] =>
  look.targets.map((target) => {
    const prediction = predict(target);
    const { parts, learnedAt } = target;
    return {
      target: target.id,
      place: target.place,
      health: target.health,
      inFlight: target.inFlight,
      lanes: target.lanes,
      busy: rounded(target.busy),
      cost: target.cost,
      parts: parts && {
        network: rounded(parts.network),
        queue: rounded(parts.queue),
        service: rounded(parts.service),
        cold: rounded(parts.cold),
      },
      predictedMs: orNull(prediction.predictedMs),
      p95Ms: orNull(prediction.p95Ms),
      learnedMsAgo: learnedAt === null ? null : rounded(Math.max(0, look.now - learnedAt)),
      inTime: timeliness(prediction, look.request.deadlineMs),
      score: orNull(score?.(target) ?? null),
      excluded: leftOut(look, target) ?? null,
    };
  });

function timeliness({ predictedMs, p95Ms }: Prediction, deadlineMs: number): TargetRow['inTime'] {
  if (predictedMs === null || p95Ms === null) return 'unknown';
  if (p95Ms <= deadlineMs) return 'surely';
  return predictedMs <= deadlineMs ? 'usually' : 'late';
}

function leftOut(
  { kind, request, targets, chosen }: Look,
  target: TargetSnapshot,
): Exclusion | Obstacle | PassedOver | undefined {
  const excluded = exclusionOf(request, target);
  if (excluded !== undefined) return excluded;
  if (kind === 'hedge') return obstacleOf(target, request.deadlineMs);
  if (target.id === chosen) return undefined;
  const open = eligible(request, targets);
  const healthy = open.filter(({ health }) => health === 'healthy');
  // Among targets none of which is healthy the policy chooses all the same.
  if (target.health !== 'healthy' && healthy.length > 0) return target.health;
  const hasRoom = (one: TargetSnapshot) => !isFull(one);
  if (isFull(target) && (chosen === undefined || healthy.some(hasRoom))) return 'full';
  return isSpare(target) && !open.every(isSpare) ? 'spare' : undefined;
}
