/** Keeps what was decided and sent for one request that asked to be explained, and tells it at the end. */
import type { Explanation } from '../../core/contracts/explanation.ts';
import type { Refusal } from '../../core/routing/admission.ts';
import { type DecisionRow, explainTargets, type Look, rounded } from '../../core/routing/explain.ts';
import { POLICIES, type PolicyName } from '../../core/routing/policies/table.ts';
import type { Reason } from '../../core/routing/policy.ts';
import type { AttemptResult } from '../../core/routing/state.ts';
import type { TargetId } from '../../core/routing/targets.ts';
import type { Sent } from './sent.ts';

/** What came of a look at the targets, beside the target. */
interface Chosen {
  readonly reason: Reason | undefined;
  readonly shadow?: TargetId | undefined;
  readonly outOfBudget?: boolean;
  readonly refused?: Refusal['kind'] | undefined;
}

/** The client's answer; `target` and `reason` undefined where the router refused the request itself. */
interface Answered {
  readonly target?: TargetId;
  readonly reason?: Reason;
  readonly status: number;
}

type AttemptRow = Explanation['attempts'][number];

export interface Explainer {
  /** @param deadlineMs milliseconds from its arrival that the client waits */
  asked(deadlineMs: number): void;
  /** Called at every look at the targets, whether one was chosen or not. */
  looked(look: Look, chosen: Chosen): void;
  sent(sent: Sent): void;
  ended(sent: Sent, result: AttemptResult, ms: number): void;
  answered(by: Required<Pick<Answered, 'target' | 'reason'>>): void;
  /** @returns undefined where the request was refused before anything was decided: the error says it all */
  explanation(status: number): Explanation | undefined;
}

/** @param clock milliseconds; the request arrives now */
export function createExplainer(policy: PolicyName, clock: () => number): Explainer {
  const arrived = clock();
  const since = (at: number) => rounded(Math.max(0, at - arrived));
  const decisions: DecisionRow[] = [];
  /** Shadows end when they end: what is still under way is told as that. */
  const attempts = new Map<Sent, AttemptRow>();
  let first: Look | undefined;
  let deadline = 0;
  let by: Omit<Answered, 'status'> = {};

  return {
    asked(deadlineMs) {
      deadline = deadlineMs;
    },
    looked(look, { reason, shadow, outOfBudget = false, refused }) {
      first ??= look;
      decisions.push({
        kind: look.kind,
        atMs: since(look.now),
        leftMs: rounded(look.request.deadlineMs),
        target: look.chosen ?? null,
        reason: reason ?? null,
        refused: refused ?? null,
        shadow: shadow ?? null,
        outOfBudget,
        targets: explainTargets(look, POLICIES[policy]),
      });
    },
    sent(sent) {
      attempts.set(sent, rowOf(sent, since(sent.attempt.startedAt)));
    },
    ended(sent, result, ms) {
      const row = attempts.get(sent);
      if (row !== undefined) attempts.set(sent, { ...row, ...endOf(result), actualMs: rounded(ms) });
    },
    answered(answer) {
      by = answer;
    },
    explanation(status) {
      if (first === undefined) return undefined;
      const { model, bytes, pin } = first.request;
      return {
        model,
        policy,
        bytes,
        deadlineMs: deadline,
        pin: pin ?? null,
        decisions,
        attempts: [...attempts.values()],
        target: by.target ?? null,
        reason: by.reason ?? null,
        status,
        actualMs: since(clock()),
      };
    },
  };
}

function rowOf({ attempt: { target, reason }, limitMs, predictedMs }: Sent, atMs: number): AttemptRow {
  return {
    target,
    reason,
    atMs,
    limitMs: rounded(limitMs),
    predictedMs: predictedMs === null ? null : rounded(predictedMs),
    actualMs: null,
    result: 'under-way',
    serviceMs: null,
    inFlight: null,
    cold: null,
  };
}

function endOf(result: AttemptResult): Pick<AttemptRow, 'result' | 'serviceMs' | 'inFlight' | 'cold'> {
  if (result.kind !== 'answered') return { result: result.kind, serviceMs: null, inFlight: null, cold: null };
  const { serviceMs, reported, cold } = result;
  return { result: 'answered', serviceMs, inFlight: reported, cold };
}
