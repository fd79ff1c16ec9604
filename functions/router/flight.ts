/**
 * One request's attempts. The first target is asked; another one beside it where the first is late (a hedge) or where
 * there is something to learn (a shadow), or after it where it failed (a fallback). The first answer is the answer:
 * what is still under way is ended, but for shadows, which are let finish to be learned from. A request that is
 * predicted too late everywhere, and is sent to find out, has one attempt: its client waits until the deadline, and the
 * attempt is let finish, too.
 */
import { TARGET_HEADERS } from '../../core/contracts/headers.ts';
import type { RouteRequest } from '../../core/routing/policy.ts';
import type { AttemptResult } from '../../core/routing/state.ts';
import { EDGE, type TargetId } from '../../core/routing/targets.ts';
import type { Timing } from '../../core/telemetry/server-timing.ts';
import {
  drop,
  isOverloaded,
  type Message,
  type Outcome,
  reportedInFlight,
  reportedServiceMs,
  send,
  type Upstream,
} from './attempt.ts';
import type { Explainer } from './explainer.ts';
import type { Isolate } from './isolate.ts';
import type { Sent } from './sent.ts';
import { probe } from './probing.ts';

export interface FlightPlan {
  readonly isolate: Isolate;
  readonly upstreams: ReadonlyMap<TargetId, Upstream>;
  readonly message: Message;
  readonly infers: boolean;
  /** Told of every decision and attempt, where the client asked why. */
  readonly explainer?: Explainer | undefined;
  /** What is asked of the router, with the time that is left. @param tried targets that count as tried */
  readonly ask: (tried: readonly TargetId[]) => RouteRequest;
  /** Aborted when the client goes away. */
  readonly client: AbortSignal | undefined;
  /** Keeps work alive that goes on after the answer. */
  readonly defer: (work: Promise<unknown>) => void;
}

export interface Landed {
  readonly sent: Sent;
  readonly outcome: Outcome;
  /** In the order of their ends. */
  readonly timings: readonly Timing[];
  /** Milliseconds the first attempt was predicted to take. */
  readonly predictedMs: number | null;
}

interface Ended {
  readonly sent: Sent;
  readonly outcome: Outcome;
}

/** @returns undefined where there was no time, or no target, to ask */
export async function fly(plan: FlightPlan): Promise<Landed | undefined> {
  const { isolate, ask, explainer } = plan;
  const tried: TargetId[] = [];
  const timings: Timing[] = [];
  const under = new Map<Sent, { readonly ended: Promise<Ended>; readonly cancel: () => void }>();
  const shadows = new Set<Sent>();

  function launch(sent: Sent): void {
    explainer?.sent(sent);
    const { outcome, cancel } = send(
      plan.upstreams.get(sent.host)!,
      plan.message,
      sent.limitMs,
      plan.client,
      sent.attempt.variant?.name,
    );
    const ended = outcome.then((result): Ended => {
      const came = resultOf(sent.host, result);
      const ms = isolate.finish(sent, came);
      explainer?.ended(sent, came, ms);
      timings.push({ name: sent.attempt.target, ms, description: describe(sent, result) });
      under.delete(sent);
      return { sent, outcome: result };
    });
    under.set(sent, { ended, cancel });
  }

  const request = ask(tried);
  const beginning = request.deadlineMs <= 0 ? undefined : isolate.begin(request, plan.infers, explainer);
  if (beginning === undefined) return undefined;
  const { sent: first, shadow, isTry } = beginning;
  launch(first);
  tried.push(first.attempt.target);
  if (shadow !== undefined) {
    launch(shadow);
    shadows.add(shadow);
  }
  for (const asked of beginning.probes)
    plan.defer(probe(plan.upstreams.get(asked.host)!).then((report) => isolate.probed(asked, report)));
  const late = beginning.hedgeAfterMs === null ? undefined : alarm(beginning.hedgeAfterMs);

  const land = ({ sent, outcome }: Ended): Landed => {
    late?.stop();
    for (const [other, { ended, cancel }] of under) {
      if (!shadows.has(other)) cancel();
      plan.defer(ended.then((loser) => drop(loser.outcome)));
    }
    return { sent, outcome, timings, predictedMs: first.predictedMs };
  };

  if (isTry) {
    shadows.add(first);
    const over = alarm(request.deadlineMs);
    const ended = await Promise.race([under.get(first)!.ended, over.rings]);
    over.stop();
    if (ended !== undefined) return land(ended);
    const outcome = { kind: 'timeout' } as const;
    const description = describe(first, outcome);
    timings.push({ name: first.attempt.target, ms: request.deadlineMs, description });
    return land({ sent: first, outcome });
  }

  let isLateHandled = late === undefined;
  let lost: Ended | undefined;
  for (;;) {
    const waits: Promise<Ended | undefined>[] = Array.from(under.values(), ({ ended }) => ended);
    if (!isLateHandled) waits.push(late!.rings);
    const next = waits.length === 1 ? await waits[0] : await Promise.race(waits);
    if (next === undefined) {
      isLateHandled = true;
      const hedge = under.has(first) ? isolate.hedge(ask(tried), explainer) : undefined;
      if (hedge === undefined) continue;
      launch(hedge);
      tried.push(hedge.attempt.target);
      continue;
    }
    const { kind } = next.outcome;
    if (kind === 'answered' || kind === 'cancelled') {
      if (lost !== undefined) await drop(lost.outcome);
      return land(next);
    }
    if (shadows.delete(next.sent)) {
      await drop(next.outcome);
      continue;
    }
    if (lost !== undefined) await drop(lost.outcome);
    lost = next;
    if (Array.from(under.keys()).some((sent) => !shadows.has(sent))) continue;
    // Two failures are enough for a request.
    const again = ask(tried);
    const fallback =
      tried.length > 1 || again.deadlineMs <= 0 ? undefined : isolate.begin(again, plan.infers, explainer);
    if (fallback === undefined) return land(lost);
    launch(fallback.sent);
    tried.push(fallback.sent.attempt.target);
  }
}

/** A timer as a promise that can be let go of. */
function alarm(ms: number) {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), ms);
  return { rings: promise, stop: () => clearTimeout(timer) };
}

/** An edge Worker's clock stands still while it computes: what it says of its time is nothing. */
export function resultOf(host: TargetId, outcome: Outcome): AttemptResult {
  switch (outcome.kind) {
    case 'answered': {
      const { answer } = outcome;
      return {
        kind: 'answered',
        refused: answer.status >= 400,
        cold: answer.header(TARGET_HEADERS.cold) === '1',
        reported: reportedInFlight(answer),
        serviceMs: host === EDGE ? null : reportedServiceMs(answer),
      };
    }
    case 'unreachable':
      return { kind: 'failed' };
    case 'failed':
      return { kind: isOverloaded(outcome.answer) ? 'overloaded' : 'failed' };
    case 'timeout':
    case 'cancelled':
      return { kind: outcome.kind };
  }
}

export function describe({ attempt: { reason }, predictedMs }: Sent, { kind }: Outcome): string {
  const predicted = predictedMs === null ? 'predicted nothing' : `predicted ${predictedMs.toFixed(2)} ms`;
  const words = [
    reason === 'hedge' || reason === 'hard' ? reason : '',
    kind === 'answered' ? '' : kind,
    predicted,
  ];
  return words.filter((word) => word !== '').join(', ');
}
