/**
 * What this isolate keeps between requests: what it has learned of the targets, its metrics and its last decisions.
 * Isolates share no memory: each learns by itself and starts anew when the platform starts it anew, and /metrics and
 * /v1/routing speak of the isolate that happens to answer.
 */
import { REQUEST_HEADERS } from '../../core/contracts/headers.ts';
import type { RoutingView, TargetView } from '../../core/contracts/routing.ts';
import type { Summary, Told } from '../../core/contracts/sharing.ts';
import { boundedMap } from '../../core/bounded-map.ts';
import { admission, type Refusal, TRY_EVERY_MS, TRY_LIMIT_MS } from '../../core/routing/admission.ts';
import { type Degradation, escalation } from '../../core/routing/cascade/escalate.ts';
import { type Choice, decideAmong, eligible, tryOf } from '../../core/routing/decide.ts';
import { Fault } from '../../core/errors.ts';
import { healthAt } from '../../core/routing/ejection.ts';
import { quantile } from '../../core/routing/estimate.ts';
import {
  canSpend,
  earned,
  hedgeAfterMs,
  hedgeTarget,
  INITIAL_BUDGET,
  spent,
} from '../../core/routing/hedging.ts';
import { attemptLimit } from '../../core/routing/limits.ts';
import { meanValue } from '../../core/routing/mean.ts';
import { edgeFirst } from '../../core/routing/policies/place-first.ts';
import { POLICIES, type PolicyName } from '../../core/routing/policies/table.ts';
import { summaryOf, told } from '../../core/routing/sharing.ts';
import {
  predict,
  type Prediction,
  type Reason,
  type RouteRequest,
  type TargetSnapshot,
  type View,
} from '../../core/routing/policy.ts';
import { canRetry, INITIAL_RETRIES, retriesEarned, retryFailed } from '../../core/routing/retries.ts';
import {
  attemptOf,
  type AttemptResult,
  ended,
  initialState,
  loadOf,
  snapshot,
  started,
  type TargetState,
} from '../../core/routing/state.ts';
import { EDGE, type TargetConfig, type TargetId } from '../../core/routing/targets.ts';
import { hostOf } from '../../core/routing/variants.ts';
import type { Explainer } from './explainer.ts';
import { type DegradedKind, routerMetrics } from './metrics.ts';
import { createProbing, type Report } from './probing.ts';
import { createRecent, type Routed } from './recent.ts';
import type { Sent } from './sent.ts';

export interface IsolateOptions {
  readonly policy: PolicyName;
  /** The edge first. */
  readonly targets: readonly TargetConfig[];
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
  /** Unix milliseconds. */
  readonly wallClock: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** What is done with a request now, and what may follow. */
export interface Beginning {
  readonly sent: Sent;
  /** It is predicted too late: the client waits no longer than it said, the target's answer is waited for. */
  readonly isTry: boolean;
  /** The same request, sent elsewhere only to learn: its answer counts if it is the first. */
  readonly shadow: Sent | undefined;
  /** Milliseconds after which a second attempt is worth its cost; null: never. */
  readonly hedgeAfterMs: number | null;
  /** Targets to be asked for their load now, beside it. */
  readonly probes: readonly Probed[];
}

/** A target as the policy knows it, and who is asked about it. */
export interface Probed {
  readonly target: TargetId;
  readonly host: TargetId;
}

/** `tried`: a copy to be sent for nobody, to find out whether the cloud is as slow as predicted. */
export type Escalated =
  { readonly sent: Sent } | { readonly degraded: Degradation; readonly tried: Sent | undefined };

/** Clients name models. */
const REMEMBERED_MODELS = 512;

export type Isolate = ReturnType<typeof createIsolate>;

export function createIsolate({ policy, targets, clock, wallClock, random }: IsolateOptions) {
  let state = initialState(targets);
  let memory: unknown = POLICIES[policy].initial;
  let budget = INITIAL_BUDGET;
  let retries = INITIAL_RETRIES;
  const probing = createProbing<TargetId>(POLICIES[policy]);
  const recent = createRecent();
  const cascades = boundedMap<boolean>(REMEMBERED_MODELS);
  const whole = boundedMap<true>(REMEMBERED_MODELS);
  let triedAt = -Infinity;
  const metrics = routerMetrics(
    targets.map(({ id }) => id),
    () => state,
    clock,
  );

  function send(
    { target, variant, predictedMs }: Prediction,
    reason: Reason,
    { model, bytes, tried }: RouteRequest,
    limitMs: number,
    infers: boolean,
  ): Sent {
    const asked = { target, variant, model, bytes, reason, predictedMs, infers };
    const attempt = attemptOf(state, asked, clock());
    state = started(state, attempt);
    const isRetry = tried.length > 0 && reason !== 'hedge';
    return { attempt, host: hostOf({ id: target, variant }), predictedMs, limitMs, isRetry };
  }

  /** @throws Fault where the request leaves no target, or none that is in time or has room */
  function choose(
    request: RouteRequest,
    infers: boolean,
    explainer?: Explainer,
  ): (Choice & { readonly isTry?: true }) | undefined {
    const now = clock();
    const view = { request, targets: snapshot(state, request, now), now, random };
    const open = eligible(request, view.targets);
    const isFirst = request.tried.length === 0;
    // Requests that compute nothing are not worth comparing, and wait for nobody.
    if (!infers && open.length > 0) return decideAmong(edgeFirst, view, open, null);
    const held = isFirst ? admission(request, open, now) : undefined;
    const refused = held?.kind === 'try' ? undefined : held;
    const tried = held?.kind === 'try' ? tryOf(held, open, memory) : undefined;
    const choice = tried ?? (refused === undefined ? among(view, open) : undefined);
    explainer?.looked(
      { kind: isFirst ? 'first' : 'fallback', request, targets: view.targets, now, chosen: choice?.target },
      { reason: choice?.reason, shadow: choice?.shadow?.target, refused: refused?.kind },
    );
    if (refused !== undefined) throw notAdmitted(refused);
    if (isFirst && choice === undefined) throw noTarget(request);
    return tried === undefined ? choice : { ...tried, isTry: true };
  }

  /** A cascade begins at the edge, and the policy learns nothing from that. */
  function among(view: View, open: readonly TargetSnapshot[]): Choice | undefined {
    if (view.request.isCascade === true) return decideAmong(edgeFirst, view, open, null);
    const choice = decideAmong(POLICIES[policy], view, open, memory);
    if (choice !== undefined) memory = choice.memory;
    return choice;
  }

  return {
    /**
     * Decides and counts the request as sent; `finish` must be called for it and its shadow.
     * @param infers whether it computes: other requests go to the edge first, and nothing is learned from them
     * @param explainer told of the decision, where somebody asked
     * @returns undefined where no target is left
     * @throws Fault where the request is refused
     */
    begin(request: RouteRequest, infers: boolean, explainer?: Explainer): Beginning | undefined {
      const isFirst = request.tried.length === 0;
      if (isFirst) {
        budget = earned(budget);
        retries = retriesEarned(retries);
      } else if (!canRetry(retries)) return undefined;
      const choice = choose(request, infers, explainer);
      if (choice === undefined) return undefined;
      const sent = send(choice, choice.reason, request, choice.limitMs, infers);
      if (!isFirst) metrics.fellBack(request.tried[0]!, sent.attempt.target);
      const { shadow, isTry = false } = choice;
      if (shadow !== undefined) metrics.probed(shadow.target);
      return {
        sent,
        isTry,
        shadow: shadow && send(shadow, 'probe', request, request.deadlineMs, infers),
        // Of a cascade the cloud is asked when the edge has answered, and then about what is hard.
        hedgeAfterMs:
          infers && !isTry && request.pin === undefined && request.isCascade !== true && targets.length > 1
            ? hedgeAfterMs(choice, budget)
            : null,
        probes: probing.due(choice.probes, clock()).map((target) => ({
          target,
          host: request.variants?.find(({ id }) => id === target)?.host ?? target,
        })),
      };
    },
    /** A second attempt beside the one under way. @returns undefined where it is not worth its cost */
    hedge(request: RouteRequest, explainer?: Explainer): Sent | undefined {
      const isAffordable = canSpend(budget);
      if (request.deadlineMs <= 0 || (!isAffordable && explainer === undefined)) return undefined;
      const now = clock();
      const targets = snapshot(state, request, now);
      const best = hedgeTarget(request, eligible(request, targets));
      const second = isAffordable ? best : undefined;
      explainer?.looked(
        { kind: 'hedge', request, targets, now, chosen: second?.id },
        { reason: second && 'hedge', outOfBudget: best !== undefined && !isAffordable },
      );
      if (second === undefined) return undefined;
      budget = spent(budget);
      metrics.hedged(second.id);
      return send(predict(second), 'hedge', request, request.deadlineMs, true);
    },
    /** The larger model of a cascade is to be asked, in the cloud; another region, where one failed it. */
    escalate(request: RouteRequest, explainer?: Explainer): Escalated {
      const [failed] = request.tried;
      if (failed !== undefined && !canRetry(retries)) return { degraded: 'cloud-failed', tried: undefined };
      const now = clock();
      const pinned = { ...request, pin: 'cloud' } as const;
      const targets = snapshot(state, pinned, now);
      const found = escalation(pinned, targets);
      const chosen = found.kind === 'ask' ? found.target.id : undefined;
      explainer?.looked(
        { kind: 'cascade', request: pinned, targets, now, chosen },
        { reason: chosen === undefined ? undefined : 'hard' },
      );
      if (found.kind === 'nobody') return { degraded: found.degraded, tried: undefined };
      const prediction = predict(found.target);
      const asked = (limitMs: number) => send(prediction, 'hard', request, limitMs, true);
      if (found.kind === 'ask') {
        if (failed !== undefined) metrics.fellBack(failed, found.target.id);
        // Of what is left, less what another region needs.
        const limitMs = attemptLimit({ ...prediction, reason: 'hard' }, pinned, eligible(pinned, targets));
        return { sent: asked(failed === undefined ? limitMs : request.deadlineMs) };
      }
      if (failed !== undefined || now - triedAt < TRY_EVERY_MS)
        return { degraded: 'deadline', tried: undefined };
      triedAt = now;
      return { degraded: 'deadline', tried: asked(TRY_LIMIT_MS) };
    },
    /** A model is known by its answers to be in a cascade. @param model with its version, as it was asked */
    isCascade: (model: string) => cascades.get(model) === true,
    setCascade(model: string, is: boolean): void {
      if ((cascades.get(model) === true) !== is) cascades.set(model, is);
    },
    /** Models that refused to be asked about some rows only. */
    isAskedWhole: (model: string) => whole.get(model) === true,
    askWhole: (model: string) => whole.set(model, true),
    /** An inference answer that a cascade judged. */
    cascaded: (result: 'easy' | 'hard' | Degradation) => metrics.cascaded(result),
    /** @returns milliseconds since it was sent */
    finish({ attempt, host, isRetry }: Sent, result: AttemptResult): number {
      const now = clock();
      const ms = Math.max(0, now - attempt.startedAt);
      state = ended(state, attempt, result, now);
      if (isRetry && result.kind !== 'answered' && result.kind !== 'cancelled')
        retries = retryFailed(retries);
      const { target } = attempt;
      if (attempt.infers && result.kind === 'answered' && !result.refused) {
        memory = probing.answered(memory, { target, inFlight: loadOf(state, host, now) }, ms, now);
      }
      metrics.attempted(attempt, result, ms);
      return ms;
    },
    /** The end of a probe. @param report null where it failed */
    probed({ target, host }: Probed, report: Report | null): void {
      const now = clock();
      metrics.askedLoad(host, report !== null);
      const seen = { target, inFlight: loadOf(state, host, now) };
      memory = probing.reported(memory, seen, report, host !== EDGE, now);
    },
    /** The client's answer. */
    answered(target: TargetId, reason: Reason, status: number): void {
      metrics.answered(target, reason, status);
    },
    /** Kept for the view: inference requests only. */
    routed(routed: Omit<Routed, 'at'>): void {
      recent.add({ ...routed, at: wallClock() });
    },
    /** The client's answer is marked as less than what was asked. */
    degraded: (target: TargetId, kind: DegradedKind) => metrics.degraded(target, kind),
    /** Answered with an error by the router itself. */
    refused: (status: number, reason?: string) => metrics.refused(status, reason),
    metricsText: () => metrics.text(),
    /** For the other isolates of this point of presence, and what they know: see exchange.ts. */
    summary: (): Summary => summaryOf(state, clock()),
    told(news: Told): void {
      state = told(state, news, clock());
    },
    exchanged: (isDone: boolean) => metrics.exchanged(isDone),
    view(): RoutingView {
      const now = clock();
      const viewOf = (target: TargetId) => targetView(state.get(target), now);
      const views = Object.fromEntries(targets.map(({ id }) => [id, viewOf(id)]));
      return {
        targets: { edge: viewOf('edge'), cloud: viewOf('cloud'), ...views },
        recent: recent.newestFirst(),
      };
    },
    isHealthy: (target: TargetId): boolean => healthAt(state.get(target)!.health, clock()) === 'healthy',
  };
}

function noTarget({ pin, exclude = [], costCeiling }: RouteRequest): Fault {
  const words = [
    pin === undefined ? '' : `it is to go to ${pin}`,
    exclude.length === 0 ? '' : `not to ${exclude.join(', ')}`,
    costCeiling === undefined ? '' : `for at most ${costCeiling} millionths of a dollar`,
  ];
  const what = words.filter((word) => word !== '').join(', ');
  // The first of them, whether the request says so or the model's release.
  const field =
    pin !== undefined
      ? 'target'
      : exclude.length > 0 || costCeiling === undefined
        ? 'exclude'
        : 'costCeiling';
  const message = `no target is left for this request: ${what}`;
  return new Fault('unprocessable', message, { field: REQUEST_HEADERS[field] });
}

function notAdmitted({ kind, retryAfterMs }: Refusal): Fault {
  const message =
    kind === 'late'
      ? 'no target is predicted to answer within the deadline'
      : 'as many requests as may be are at every target';
  return new Fault('unavailable', message, { reason: kind, retryAfterS: Math.ceil(retryAfterMs / 1000) });
}

/** Of a target that is not configured there is nothing. */
function targetView(known: TargetState | undefined, now: number): TargetView {
  if (known === undefined) {
    const figures = { ewmaMs: null, p50Ms: null, p95Ms: null, p99Ms: null };
    return { configured: false, state: 'healthy', inFlight: 0, requests: 0, errors: 0, ...figures };
  }
  return {
    configured: true,
    state: healthAt(known.health, now) === 'healthy' ? 'healthy' : 'ejected',
    inFlight: known.inFlight,
    requests: known.requests,
    errors: known.errors,
    ewmaMs: known.latency && meanValue(known.latency),
    p50Ms: quantile(known.window, 0.5),
    p95Ms: quantile(known.window, 0.95),
    p99Ms: quantile(known.window, 0.99),
  };
}
