/** What a request is predicted to wait for: those in flight as they are, and as long as they already take. */
import { expect, test } from 'vitest';
import {
  type Attempt,
  attemptOf,
  ended,
  initialState,
  type RoutingState,
  snapshot,
  started,
} from '../../../core/routing/state.ts';
import { targetConfig } from '../../../core/routing/targets.ts';

const SECOND = 1_000;

function begin(state: RoutingState, model: string, now: number): [RoutingState, Attempt] {
  const choice = {
    target: 'edge',
    model,
    bytes: 100,
    reason: 'only-target',
    predictedMs: null,
    infers: true,
  } as const;
  const attempt = attemptOf(state, choice, now);
  return [started(state, attempt), attempt];
}

const answered = { kind: 'answered', refused: false, cold: false, reported: null, serviceMs: null } as const;

/** An edge on which `quick` takes 5 ms and `slow` 100, learned one at a time. */
function learned(): RoutingState {
  let state = initialState([targetConfig('edge', 'edge')]);
  for (let i = 0; i < 20; i++) {
    const [model, ms] = i % 2 === 0 ? (['quick', 5] as const) : (['slow', 100] as const);
    const [next, attempt] = begin(state, model, i * SECOND);
    state = ended(next, attempt, answered, i * SECOND + ms);
  }
  return state;
}

const partsAt = (state: RoutingState, model: string, now: number) =>
  snapshot(state, { model, bytes: 100 }, now)[0]!.parts!;

test('the wait is for what is in flight, whatever oneself takes', () => {
  const now = 20 * SECOND;
  const idle = learned();
  expect(partsAt(idle, 'quick', now)).toMatchObject({ queue: 0, service: expect.closeTo(5) });
  const [behindSlow] = begin(idle, 'slow', now);
  expect(partsAt(behindSlow, 'quick', now).queue).toBeCloseTo(100);
  expect(partsAt(behindSlow, 'quick', now + 60).queue).toBeCloseTo(40);
  const [behindQuick] = begin(idle, 'quick', now);
  expect(partsAt(behindQuick, 'slow', now).queue).toBeCloseTo(5);
  const [behindBoth] = begin(behindSlow, 'quick', now);
  expect(partsAt(behindBoth, 'quick', now).queue).toBeCloseTo(105);
});

test('what was waited for is not learned as time of its own', () => {
  const now = 20 * SECOND;
  const [first, slow] = begin(learned(), 'slow', now);
  const [second, quick] = begin(first, 'quick', now + 60);
  const afterSlow = ended(second, slow, answered, now + 100);
  const state = ended(afterSlow, quick, answered, now + 105);
  // 45 ms, of which 40 were for the slow one.
  expect(quick.share).toBeCloseTo(5 / 45);
  expect(partsAt(state, 'quick', now + 200).service).toBeCloseTo(5, 0);
  expect(partsAt(state, 'quick', now + 200).queue).toBe(0);
});

test('a target that takes more than twice what it should is expected to be late by as much again', () => {
  const now = 20 * SECOND;
  const [state] = begin(learned(), 'quick', now);
  expect(partsAt(state, 'quick', now + 9).queue).toBeCloseTo(0);
  // 5 ms for the one ahead, and the 495 by which it is late.
  expect(partsAt(state, 'quick', now + 505).queue).toBeCloseTo(500);
});
