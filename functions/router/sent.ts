/** What the router knows of a request it has sent. */
import type { Attempt } from '../../core/routing/state.ts';
import type { TargetId } from '../../core/routing/targets.ts';

/** A request on its way to a target. */
export interface Sent {
  readonly attempt: Attempt;
  /** What is asked: the target, or the one whose variant it is. */
  readonly host: TargetId;
  readonly predictedMs: number | null;
  readonly limitMs: number;
  /** Another target has failed the same request: where this one fails, too, the retry has to be paid for. */
  readonly isRetry: boolean;
}
