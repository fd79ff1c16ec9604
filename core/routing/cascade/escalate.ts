/** Whether, and where, the larger model of a cascade is asked: a pure look at what is known of the cloud. */
import { isFull } from '../admission.ts';
import { eligible } from '../decide.ts';
import { least, mayFit, predict, type RouteRequest, type TargetSnapshot } from '../policy.ts';

/** Why the small model's answer to hard rows is all there is; docs/cascade.md says when each is given. */
export const DEGRADATIONS = [
  'no-cloud',
  'cloud-ejected',
  'cloud-full',
  'deadline',
  'cloud-failed',
  'cloud-refused',
  'mismatch',
] as const;
export type Degradation = (typeof DEGRADATIONS)[number];

/** Milliseconds: the answer there is must still reach the client when the larger model's does not come. */
const MOST_RESERVE_MS = 50;
const RESERVE_SHARE = 0.1;

/** Milliseconds that the larger model may take of those that are left. */
export const timeToAsk = (leftMs: number): number =>
  leftMs - Math.min(MOST_RESERVE_MS, Math.max(0, leftMs) * RESERVE_SHARE);

export type Escalation =
  | { readonly kind: 'ask'; readonly target: TargetSnapshot }
  /** Nobody would learn that the target is quick again, if nobody asked it for being slow. */
  | { readonly kind: 'late'; readonly target: TargetSnapshot }
  | {
      readonly kind: 'nobody';
      readonly degraded: Extract<Degradation, 'no-cloud' | 'cloud-ejected' | 'cloud-full'>;
    };

/**
 * @param request of the larger model, pinned to the cloud; its deadline is what the larger model may take
 * @returns the target that is predicted to answer first
 */
export function escalation(request: RouteRequest, targets: readonly TargetSnapshot[]): Escalation {
  const clouds = eligible(request, targets);
  if (clouds.length === 0) return { kind: 'nobody', degraded: 'no-cloud' };
  const open = clouds.filter(
    ({ health, trialUnderWay }) => health === 'healthy' || (health === 'half-open' && !trialUnderWay),
  );
  if (open.length === 0) return { kind: 'nobody', degraded: 'cloud-ejected' };
  const room = open.filter((each) => !isFull(each));
  if (room.length === 0) return { kind: 'nobody', degraded: 'cloud-full' };
  const target = least(room, (each) => predict(each).predictedMs ?? 0);
  const fits = request.deadlineMs > 0 && mayFit(predict(target), request.deadlineMs);
  return { kind: fits ? 'ask' : 'late', target };
}
