/** A router isolate in virtual time: the very decisions, state and protections of the Worker, without its I/O. */
import { admission, TRY_LIMIT_MS } from '../routing/admission.ts';
import { decide, eligible } from '../routing/decide.ts';
import { canSpend, earned, hedgeAfterMs, hedgeTarget, INITIAL_BUDGET, spent } from '../routing/hedging.ts';
import { type Policy, predict, type Reason, type RouteRequest } from '../routing/policy.ts';
import { canRetry, INITIAL_RETRIES, retriesEarned, retryFailed } from '../routing/retries.ts';
import { type AttemptResult, attemptOf, ended, initialState, snapshot, started } from '../routing/state.ts';
import type { TargetConfig, TargetId } from '../routing/targets.ts';
import type { Arrival, Draw } from './arrivals.ts';
import { meanOf } from './distribution.ts';
import type { Timeline } from './events.ts';
import type { Scenario } from './scenario.ts';
import type { Server } from './server.ts';

/** What came of a request. */
export interface Outcome {
  readonly arrival: Arrival;
  /** Who answered; undefined: nobody in time. */
  readonly target: TargetId | undefined;
  readonly reason: Reason | undefined;
  /** Until the answer, or the deadline. */
  readonly latencyMs: number;
  /** Predicted when it was first sent. */
  readonly predictedMs: number | null;
  /** Requests sent to targets. */
  readonly attempts: readonly TargetId[];
  readonly hedged: boolean;
  /** Refused at once, no target being predicted in time. */
  readonly refused: boolean;
}

export interface RouterOptions {
  readonly scenario: Scenario;
  readonly policy: Policy;
  readonly configs: readonly TargetConfig[];
  readonly servers: ReadonlyMap<TargetId, Server>;
  readonly draw: (target: TargetId, arrival: Arrival) => Draw;
  readonly timeline: Timeline;
  readonly random: () => number;
}

export function createRouter(options: RouterOptions) {
  const { scenario, policy, servers, draw, timeline, random } = options;
  const network = new Map(scenario.targets.map(({ id, networkMs }) => [id, meanOf(networkMs)]));
  const places = new Map(options.configs.map(({ id, place }) => [id, place]));
  let state = initialState(options.configs);
  let memory = policy.initial;
  let budget = INITIAL_BUDGET;
  let retries = INITIAL_RETRIES;

  return { route };

  function route(arrival: Arrival, done: (outcome: Outcome) => void): void {
    const { at, model, bytes, pin, deadlineMs } = arrival;
    const attempts: TargetId[] = [];
    /** Of these the ones that count: not what is sent to learn from. */
    const tried: TargetId[] = [];
    let failures = 0;
    let isOver = false;
    let hedged = false;
    let firstPrediction: number | null = null;
    /** Ends attempts that count: the other one of a hedged request, or all at the deadline. */
    const under = new Map<TargetId, (result: AttemptResult) => void>();

    const ask = (): RouteRequest => ({
      model,
      bytes,
      pin,
      deadlineMs: deadlineMs - (timeline.now() - at),
      tried,
    });
    const finish = (target: TargetId | undefined, reason: Reason | undefined, refused = false) => {
      if (isOver) return;
      isOver = true;
      const left = target === undefined ? 'timeout' : 'cancelled';
      for (const end of under.values()) end({ kind: left });
      const latencyMs = target === undefined ? deadlineMs : timeline.now() - at;
      done({ arrival, target, reason, latencyMs, predictedMs: firstPrediction, attempts, hedged, refused });
    };

    budget = earned(budget);
    retries = retriesEarned(retries);
    send();
    timeline.schedule(at + deadlineMs, () => finish(undefined, undefined));

    function send(): void {
      const request = ask();
      if (isOver || request.deadlineMs <= 0) return;
      const targets = snapshot(state, request, timeline.now());
      if (scenario.admission && attempts.length === 0) {
        const held = admission(request, eligible(request, targets), timeline.now());
        if (held?.kind === 'try') {
          firstPrediction = predict(held.target).predictedMs;
          return start(held.target.id, 'probe', firstPrediction, TRY_LIMIT_MS);
        }
        if (held !== undefined) return finish(undefined, undefined, true);
      }
      const choice = decide(policy, { request, targets, now: timeline.now(), random }, memory);
      if (choice === undefined) return finish(undefined, undefined);
      memory = choice.memory;
      choice.probes.forEach(probe);
      if (attempts.length === 0) firstPrediction = choice.predictedMs;
      const limit = scenario.fallback ? choice.limitMs : request.deadlineMs;
      start(choice.target, choice.reason, choice.predictedMs, limit);
      const { shadow } = choice;
      if (shadow !== undefined) start(shadow.target, 'probe', shadow.predictedMs, request.deadlineMs);
      const wait = hedgeAfterMs(choice, budget);
      if (scenario.hedging && tried.length === 1 && wait !== null)
        timeline.schedule(timeline.now() + wait, hedge);
    }

    function hedge(): void {
      const request = ask();
      if (isOver || tried.length !== 1 || under.size === 0 || request.deadlineMs <= 0 || !canSpend(budget))
        return;
      const open = eligible(request, snapshot(state, request, timeline.now()));
      const second = hedgeTarget(request, open);
      if (second === undefined) return;
      budget = spent(budget);
      hedged = true;
      start(second.id, 'hedge', predict(second).predictedMs, request.deadlineMs);
    }

    function start(target: TargetId, reason: Reason, predictedMs: number | null, limitMs: number): void {
      const attempt = attemptOf(
        state,
        { target, model, bytes, reason, predictedMs, infers: true },
        timeline.now(),
      );
      state = started(state, attempt);
      attempts.push(target);
      if (reason !== 'probe') tried.push(target);
      let isSettled = false;
      const settle = (result: AttemptResult) => {
        if (isSettled) return;
        isSettled = true;
        under.delete(target);
        if (result.kind !== 'answered') withdraw();
        state = ended(state, attempt, result, timeline.now());
        if (result.kind === 'answered') return finish(target, reason);
        // What was only tried is not missed.
        if (isOver || result.kind === 'cancelled' || reason === 'probe') return;
        failures += 1;
        if (reason === 'fallback') retries = retryFailed(retries);
        if (under.size > 0) return;
        // One more, and only when nothing else was under way.
        if (scenario.fallback && failures === 1 && canRetry(retries)) send();
        else finish(undefined, undefined);
      };
      // What is sent to learn from is let finish.
      if (reason !== 'probe') under.set(target, settle);
      timeline.schedule(timeline.now() + limitMs, () => settle({ kind: 'timeout' }));
      const withdraw = transfer(target, arrival, settle);
    }

    /** @returns tells the target that nobody waits any longer: what has not begun there is not begun */
    function transfer(target: TargetId, asked: Arrival, settle: (result: AttemptResult) => void): () => void {
      const server = servers.get(target)!;
      const fate = draw(target, asked);
      const half = () => (fate.networkMs + server.networkExtraMs()) / 2;
      const there = half();
      if (there === Infinity) return () => {};
      let leave = () => {};
      timeline.schedule(timeline.now() + there, () => {
        leave = server.accept(fate, (answer) => {
          const back = half();
          if (back === Infinity) return;
          timeline.schedule(timeline.now() + back, () => settle(resultOf(target, answer)));
        });
      });
      // It takes as long as the request did, and so comes after it.
      return () => timeline.schedule(timeline.now() + there, () => leave());
    }
  }

  function resultOf(target: TargetId, answer: Parameters<Parameters<Server['accept']>[1]>[0]): AttemptResult {
    if (answer.kind === 'failed') return { kind: 'failed' };
    // A Worker cannot time itself.
    const serviceMs = places.get(target) === 'cloud' ? answer.serviceMs : null;
    return { kind: 'answered', refused: false, cold: answer.cold, reported: answer.inFlight, serviceMs };
  }

  /** A probe is an empty request: it waits for the network only. */
  function probe(target: TargetId): void {
    const server = servers.get(target)!;
    const { probed } = policy;
    if (probed === undefined || server.networkExtraMs() === Infinity) return;
    const ms = (network.get(target)! + server.networkExtraMs()) / 2;
    timeline.schedule(timeline.now() + ms, () => {
      const result = server.probe();
      timeline.schedule(timeline.now() + ms, () => {
        memory = probed(memory, result, timeline.now());
      });
    });
  }
}
