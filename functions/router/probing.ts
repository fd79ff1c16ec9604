/**
 * Word of the targets' load, for policies that ask for it (Prequal). Every answer is such word, so that a target is
 * asked only where there was none for a while, beside a request and never on its way. Targets that fail give no word,
 * and so do not look idle for it.
 */
import type { Policy, ProbeResult } from '../../core/routing/policy.ts';
import { createLatencies, type Latencies } from '../../core/telemetry/latencies.ts';
import { type Answer, drop, reportedInFlight, reportedLatencyMs, send, type Upstream } from './attempt.ts';

/** Milliseconds after an answer, or a probe's, that its target is not asked: at most ten probes a second each. */
export const PROBE_STALE_MS = 100;
/** Milliseconds until a probe is given up, and that a target is left alone that does not answer: Prequal's pool is so old. */
export const PROBE_LIMIT_MS = 1_000;

/** Of both Workers and functions; it does nothing. */
const MESSAGE = {
  method: 'GET',
  path: '/v2/health/live',
  body: undefined,
  headers: {},
  call: undefined,
} as const;

/** What a target said to a probe; null: it did not. */
export interface Report {
  readonly inFlight: number | null;
  readonly latencyMs: number | null;
}

/** @returns null where it failed. It never rejects */
export async function probe(upstream: Upstream): Promise<Report | null> {
  const outcome = await send(upstream, MESSAGE, PROBE_LIMIT_MS, undefined).outcome;
  await drop(outcome);
  return outcome.kind === 'answered' && outcome.answer.status === 200 ? reportOf(outcome.answer) : null;
}

const reportOf = (answer: Answer): Report => ({
  inFlight: reportedInFlight(answer),
  latencyMs: reportedLatencyMs(answer),
});

/** What the router sees itself of a target when it has word of it. */
interface Seen<Target> {
  readonly target: Target;
  /** Requests there that it knows of. */
  readonly inFlight: number;
}

/** What is passed in and returned as `memory` is the policy's. */
export function createProbing<Target extends string>({ probed }: Policy) {
  const askAgainAt = new Map<Target, number>();
  /** Since when a probe is under way. */
  const askedAt = new Map<Target, number>();
  const latencies = new Map<Target, Latencies>();

  function latenciesOf(target: Target): Latencies {
    const known = latencies.get(target) ?? createLatencies();
    latencies.set(target, known);
    return known;
  }
  // In a Worker work can end without a word: a probe that should be over is.
  const isUnderWay = (target: Target, now: number) =>
    now - (askedAt.get(target) ?? -Infinity) < 2 * PROBE_LIMIT_MS;

  function tell(memory: unknown, result: ProbeResult & { readonly target: Target }, now: number): unknown {
    askAgainAt.set(result.target, now + PROBE_STALE_MS);
    return probed!(memory, result, now);
  }

  return {
    /** @returns those of the targets wanted that are to be asked, and counts them as asked */
    due(wanted: readonly Target[], now: number): readonly Target[] {
      if (wanted.length === 0) return wanted;
      const due = wanted.filter(
        (target) => now >= (askAgainAt.get(target) ?? -Infinity) && !isUnderWay(target, now),
      );
      for (const target of due) askedAt.set(target, now);
      return due;
    },
    /** @param ms that the answer took */
    answered(memory: unknown, { target, inFlight }: Seen<Target>, ms: number, now: number): unknown {
      if (probed === undefined) return memory;
      latenciesOf(target).add(inFlight, ms, now);
      return tell(memory, { target, inFlight, latencyMs: ms }, now);
    },
    /**
     * @param report null: the probe failed
     * @param isTimed whether the target can time itself: a Worker's clock stands still while it computes
     */
    reported(
      memory: unknown,
      seen: Seen<Target>,
      report: Report | null,
      isTimed: boolean,
      now: number,
    ): unknown {
      const { target } = seen;
      const ms = Math.max(0, now - (askedAt.get(target) ?? now));
      askedAt.delete(target);
      if (report === null || probed === undefined) {
        askAgainAt.set(target, now + PROBE_LIMIT_MS);
        return memory;
      }
      // A function of many environments counts the requests in one of them.
      const inFlight = Math.max(seen.inFlight, report.inFlight ?? 0);
      const reported = isTimed ? (report.latencyMs ?? 0) : 0;
      // Where nothing recent is known of it, only the way there: it is to be tried.
      const latencyMs = reported > 0 ? reported + ms : Math.max(ms, latenciesOf(target).at(inFlight, now));
      return tell(memory, { target, inFlight, latencyMs }, now);
    },
  };
}
