import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MODELS, WARM_MS } from '../../../core/routing/learning.ts';
import { CONSECUTIVE_FAILURES, healthAt } from '../../../core/routing/ejection.ts';
import {
  attemptOf,
  type AttemptResult,
  ended,
  FAIR_TIMEOUT_MS,
  initialState,
  REPORT_MS,
  type RoutingState,
  snapshot,
  started,
} from '../../../core/routing/state.ts';
import { predict, type Reason } from '../../../core/routing/policy.ts';
import { PLACES, targetConfig } from '../../../core/routing/targets.ts';

const BOTH = initialState([targetConfig('edge', 'edge'), targetConfig('cloud', 'cloud')]);
const answered = (over: Partial<Extract<AttemptResult, { kind: 'answered' }>> = {}): AttemptResult => ({
  kind: 'answered',
  refused: false,
  cold: false,
  reported: null,
  serviceMs: null,
  ...over,
});

interface One {
  readonly target?: string;
  readonly model?: string;
  readonly reason?: Reason;
  readonly infers?: boolean;
  readonly from: number;
  readonly to: number;
  readonly result: AttemptResult;
}

/** One request from its beginning to its end, nothing beside it. */
function go(
  state: RoutingState,
  { target = 'edge', model = 'm', reason = 'edge-faster', infers = true, ...one }: One,
) {
  const asked = { target, model, bytes: 100, reason, infers, predictedMs: null };
  const attempt = attemptOf(state, asked, one.from);
  return ended(started(state, attempt), attempt, one.result, one.to);
}
/** With what an idle target would take. */
const seen = (state: RoutingState, now: number, model = 'm', target: string = 'edge') => {
  const known = snapshot(state, { model, bytes: 100 }, now).find((each) => each.id === target)!;
  const { parts } = known;
  return { ...known, latencyMs: parts && parts.network + parts.service + parts.cold };
};

describe('routing state', () => {
  it('knows nothing at first, and offers configured targets only', () => {
    const about = { model: 'm', bytes: 100 };
    expect(snapshot(BOTH, about, 0).map((each) => [each.id, predict(each).predictedMs, each.health])).toEqual(
      [
        ['edge', null, 'healthy'],
        ['cloud', null, 'healthy'],
      ],
    );
    expect(snapshot(initialState([targetConfig('edge', 'edge')]), about, 0)).toHaveLength(1);
  });

  it('keeps cold and warm apart: a cold answer predicts the next model, not the next request', () => {
    const state = go(BOTH, { from: 0, to: 600, result: answered({ cold: true }) });
    expect(seen(state, 600).latencyMs).toBeNull();
    expect(seen(state, 600, 'other').latencyMs).toBe(600);
    const warm = go(state, { from: 700, to: 702, result: answered() });
    expect(seen(warm, 702).latencyMs).toBe(2);
    expect(seen(warm, 702, 'other').latencyMs).toBe(600);
    expect(seen(warm, 702 + WARM_MS).latencyMs).toBe(600);
  });

  it('counts the load at the start out of what it learns, and into what it predicts', () => {
    let state = BOTH;
    const attempts = Array.from({ length: 4 }, () => {
      const attempt = attemptOf(
        state,
        { target: 'edge', model: 'm', bytes: 100, reason: 'no-estimate', infers: true, predictedMs: null },
        0,
      );
      state = started(state, attempt);
      return attempt;
    });
    expect(seen(state, 0).inFlight).toBe(4);
    // One lane, 5 ms each: they answer after 5, 10, 15 and 20 ms.
    attempts.forEach((attempt, i) => (state = ended(state, attempt, answered(), (i + 1) * 5)));
    expect(seen(state, 20).latencyMs).toBeCloseTo(5, 9);
    expect(seen(state, 20).inFlight).toBe(0);
  });

  it('believes for a moment what the target reports of the requests of others', () => {
    const state = go(BOTH, { from: 0, to: 5, result: answered({ reported: 8 }) });
    expect(seen(state, 5).inFlight).toBe(7);
    expect(seen(state, 5 + REPORT_MS).inFlight).toBe(0);
  });

  it('learns no latency from failures, refusals, other requests and clients that went away', () => {
    for (const result of [{ kind: 'failed' }, { kind: 'cancelled' }, answered({ refused: true })] as const) {
      const state = go(BOTH, { from: 0, to: 1, result });
      expect(seen(state, 1).latencyMs).toBeNull();
      expect(state.get('edge')!.window.added).toBe(0);
    }
    const metadata = go(BOTH, { from: 0, to: 1, result: answered(), infers: false });
    expect(seen(metadata, 1).latencyMs).toBeNull();
  });

  it('learns from a timeout that it takes at least so long, and forgets nothing worse', () => {
    const slow = go(BOTH, { from: 0, to: 400, result: { kind: 'timeout' } });
    expect(seen(slow, 400).latencyMs).toBe(400);
    const less = go(slow, { from: 400, to: 500, result: { kind: 'timeout' } });
    expect(seen(less, 500).latencyMs).toBe(400);
  });

  it('ejects after five failures, tries once when the time is over, and goes by the answer', () => {
    let state = BOTH;
    for (let i = 0; i < CONSECUTIVE_FAILURES; i++)
      state = go(state, { from: i, to: i, result: { kind: 'failed' } });
    expect(seen(state, 10).health).toBe('ejected');
    expect(state.get('edge')).toMatchObject({ errors: 5, requests: 5, ejections: 1, inFlight: 0 });
    const { health } = state.get('edge')!;
    const until = health.kind === 'ejected' ? health.until : Number.NaN;
    expect(seen(state, until).health).toBe('half-open');

    const trial = attemptOf(
      state,
      { target: 'edge', model: 'm', bytes: 100, reason: 'trial', infers: true, predictedMs: null },
      until,
    );
    const under = started(state, trial);
    expect(seen(under, until).trialUnderWay).toBe(true);
    expect(seen(ended(under, trial, { kind: 'cancelled' }, until + 1), until + 1).trialUnderWay).toBe(false);
    expect(seen(ended(under, trial, answered(), until + 1), until + 1).health).toBe('healthy');
    const lost = ended(under, trial, { kind: 'timeout' }, until + 1);
    expect(seen(lost, until + 1).health).toBe('ejected');
    expect(lost.get('edge')!.ejections).toBe(2);
  });

  it('does not let clients with tiny deadlines eject a target', () => {
    const fail = (ms: number) => {
      let state = BOTH;
      for (let i = 0; i < 3 * CONSECUTIVE_FAILURES; i++)
        state = go(state, { from: i * ms, to: (i + 1) * ms, result: { kind: 'timeout' } });
      return seen(state, 15 * ms).health;
    };
    expect(fail(FAIR_TIMEOUT_MS - 1)).toBe('healthy');
    expect(fail(FAIR_TIMEOUT_MS)).toBe('ejected');
  });

  it('remembers a bounded number of models, those that answered last', () => {
    let state = BOTH;
    for (let i = 0; i < 3 * MODELS; i++)
      state = go(state, { model: `m${i}`, from: i, to: i + 1, result: answered() });
    const { models } = state.get('edge')!.learned;
    expect(models.size).toBe(MODELS);
    expect(models.has(`m${3 * MODELS - 1}`)).toBe(true);
    expect(models.has('m0')).toBe(false);
  });

  it('never ejects all, never counts below nothing and never knows NaN, in any history', () => {
    const failure = fc.constant<AttemptResult>({ kind: 'failed' });
    const others = fc.constantFrom<AttemptResult>(
      { kind: 'timeout' },
      { kind: 'cancelled' },
      answered(),
      answered({ cold: true }),
      answered({ refused: true }),
      answered({ reported: 3 }),
    );
    const step = fc.record({
      target: fc.constantFrom(...PLACES),
      // Long rows of failures, or no ejection would ever be reached.
      result: fc.oneof({ weight: 30, arbitrary: failure }, { weight: 1, arbitrary: others }),
      wait: fc.integer({ min: -5, max: 8_000 }),
      took: fc.integer({ min: -1, max: 5_000 }),
      reason: fc.constantFrom<Reason>('edge-faster', 'trial', 'pinned'),
      overlaps: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        let state = BOTH;
        let now = 0;
        const open: (() => void)[] = [];
        for (const { target, result, wait, took, reason, overlaps } of steps) {
          now += wait;
          const attempt = attemptOf(
            state,
            { target, model: 'm', bytes: 100, reason, infers: true, predictedMs: null },
            now,
          );
          state = started(state, attempt);
          const end = () => (state = ended(state, attempt, result, now + took));
          if (overlaps) open.push(end);
          else end();
          for (const each of snapshot(state, { model: 'm', bytes: 100 }, now)) {
            const { predictedMs } = predict(each);
            expect(predictedMs === null || predictedMs >= 0).toBe(true);
            expect(each.busy >= 0 && each.busy <= 1).toBe(true);
            expect(each.inFlight).toBeGreaterThanOrEqual(0);
          }
          expect(PLACES.some((name) => healthAt(state.get(name)!.health, now) === 'healthy')).toBe(true);
        }
        for (const end of open) end();
        expect(Array.from(state.values(), ({ inFlight }) => inFlight)).toEqual([0, 0]);
      }),
      { numRuns: 300 },
    );
  });
});
