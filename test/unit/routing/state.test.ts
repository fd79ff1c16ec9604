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

  describe('of a target that grew slow and is left alone', () => {
    /** It took 10 ms, then a second; what was sent last came back at 13 s. */
    const slow = () => {
      let state = BOTH;
      for (let i = 0; i < 40; i++) state = go(state, { from: i * 100, to: i * 100 + 10, result: answered() });
      for (let i = 0; i < 8; i++)
        state = go(state, { from: 4_000 + i * 1_000, to: 5_000 + i * 1_000, result: answered() });
      return go(state, { from: 12_000, to: 13_000, result: answered() });
    };
    const AT = 14_000;
    const tried = (reason: Reason, took: number, state = slow()) =>
      seen(go(state, { reason, from: AT, to: AT + took, result: answered() }), AT + took).latencyMs!;

    it('believes the first copy that is quick again, nearly as quick as it was', () => {
      expect(seen(slow(), AT).latencyMs).toBeGreaterThan(600);
      expect(tried('probe', 10)).toBeLessThan(12);
      // It may have been late for the request that it was sent beside.
      expect(tried('probe', 40)).toBeLessThan(30);
      expect(tried('hedge', 10)).toBeLessThan(12);
    });

    it('believes no such answer of one that was chosen, or is asked all the time', () => {
      expect(tried('edge-faster', 10)).toBeGreaterThan(300);
      const busy = go(slow(), { from: AT - 500, to: AT - 400, result: { kind: 'cancelled' } });
      expect(tried('probe', 10, busy)).toBeGreaterThan(300);
    });

    it('believes none of one that is as quick as that now and then, and never was on average', () => {
      let state = BOTH;
      for (let i = 0; i < 40; i++) {
        const from = i * 2_000;
        state = go(state, { from, to: from + (i % 4 === 0 ? 10 : 1_000), result: answered() });
      }
      const from = 40 * 2_000;
      const lucky = go(state, { reason: 'probe', from, to: from + 10, result: answered() });
      expect(seen(lucky, from + 10).latencyMs).toBeGreaterThan(300);
    });

    it('takes what was sent before that copy for what it is: no news, however late it comes', () => {
      const start = (state: RoutingState, from: number) => {
        const asked = { target: 'edge', model: 'm', bytes: 100, infers: true, predictedMs: 900 } as const;
        const attempt = attemptOf(state, { ...asked, reason: 'probe' }, from);
        return { attempt, state: started(state, attempt) };
      };
      const before = start(slow(), AT);
      const after = start(before.state, AT + 1_000);
      const quick = ended(after.state, after.attempt, answered(), AT + 1_010);
      expect(seen(quick, AT + 1_010).latencyMs).toBeLessThan(12);
      for (const result of [answered(), { kind: 'timeout' } as const]) {
        const state = ended(quick, before.attempt, result, AT + 1_100);
        expect(seen(state, AT + 1_100).latencyMs).toBe(seen(quick, AT + 1_010).latencyMs);
        expect(seen(state, AT + 1_100).spread).toBe(1);
        expect(seen(state, AT + 1_100).inFlight).toBe(0);
      }
    });
  });

  it('tells when a target was last asked something to learn from, and sent a copy', () => {
    const told = (state: RoutingState) => {
      const { askedAt, copiedAt } = seen(state, 100);
      return [askedAt, copiedAt];
    };
    expect(told(BOTH)).toEqual([-Infinity, -Infinity]);
    const asked = go(BOTH, { from: 5, to: 9, result: answered() });
    expect(told(asked)).toEqual([5, -Infinity]);
    expect(told(go(asked, { from: 20, to: 21, infers: false, result: answered() }))).toEqual([5, -Infinity]);
    expect(told(go(asked, { reason: 'hedge', from: 20, to: 21, result: answered() }))).toEqual([
      5,
      -Infinity,
    ]);
    expect(told(go(asked, { reason: 'probe', from: 20, to: 21, result: answered() }))).toEqual([20, 20]);
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
