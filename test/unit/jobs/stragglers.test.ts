import { describe, expect, test } from 'vitest';
import { firstLook, lookAt, MAX_LOOKS, type OpenRound, slowAfter } from '../../../core/jobs/stragglers.ts';

const TIMES = { watchSeconds: 300, lostSeconds: 600 };
const done = (...seconds: number[]) => seconds.map((each) => ({ startedAt: 0, seconds: each }));

function round(change: Partial<OpenRound> & { readonly seconds: number }): OpenRound {
  const { seconds, ...rest } = change;
  const fresh = { shards: 4, quorum: 4, done: [], lost: 0, announcedAt: 0, look: -1, seen: 0, copies: 0 };
  return { ...fresh, now: seconds * 1000, ...rest };
}

describe('what is slow', () => {
  test('is told by the median of those that finished, once they are half', () => {
    const again = (seconds: number, finished: number[]) =>
      lookAt(round({ seconds, done: done(...finished) }), TIMES).verdict;
    expect(again(29, [10, 10, 11])).toEqual({ kind: 'wait', again: false });
    expect(again(31, [10, 10, 11])).toEqual({ kind: 'wait', again: true });
    // One of four does not speak for the others.
    expect(again(31, [10])).toEqual({ kind: 'wait', again: false });
    expect(again(301, [])).toEqual({ kind: 'wait', again: true });
  });

  test('is never what may not have begun: each known start begins the silence anew', () => {
    const working = [0, 40].map((start) => ({ startedAt: start * 1000, seconds: 10 }));
    expect(lookAt(round({ seconds: 45, done: working }), TIMES).verdict).toEqual({
      kind: 'wait',
      again: false,
    });
    expect(lookAt(round({ seconds: 71, done: working }), TIMES).verdict).toEqual({
      kind: 'wait',
      again: true,
    });
  });

  test('is at least five seconds away, and at most a watch', () => {
    expect(slowAfter([0.01], TIMES)).toBe(5);
    expect(slowAfter([1_000], TIMES)).toBe(300);
    expect(firstLook([], TIMES, { shards: 4, quorum: 4 })).toBe(300);
    expect(firstLook([5], TIMES, { shards: 4, quorum: 4 })).toBe(15);
    expect(firstLook([], { watchSeconds: 300, lostSeconds: 90 }, { shards: 4, quorum: 3 })).toBe(90);
  });
});

describe('a quorum', () => {
  test('closes the round once what is missing is lost, not before', () => {
    const at = (seconds: number) =>
      lookAt(round({ seconds, quorum: 3, done: done(1, 1, 1), seen: 3 }), TIMES);
    expect(at(599).verdict.kind).toBe('wait');
    // The next look comes when it will be.
    expect(at(599).delaySeconds).toBe(1);
    expect(at(600).verdict).toEqual({ kind: 'merge' });
  });

  test('is waited for as long as there is hope', () => {
    expect(lookAt(round({ seconds: 601, quorum: 3, done: done(1, 1) }), TIMES).verdict.kind).toBe('wait');
    expect(lookAt(round({ seconds: 1, quorum: 3, done: done(1, 1), lost: 2 }), TIMES).verdict.kind).toBe(
      'give-up',
    );
    expect(lookAt(round({ seconds: 1, quorum: 3, done: done(1, 1, 1), lost: 1 }), TIMES).verdict.kind).toBe(
      'merge',
    );
  });
});

test('a round without progress is looked at ever more rarely, then given up', () => {
  let next = { look: -1, seen: 0, copies: 0 };
  const delays: number[] = [];
  for (let n = 0; n < 20; n++) {
    const look = lookAt(round({ seconds: 10_000, ...next }), TIMES);
    if (look.verdict.kind === 'give-up') break;
    delays.push(look.delaySeconds);
    next = look.next;
  }
  expect(delays).toHaveLength(MAX_LOOKS);
  expect(delays).toEqual([600, 900, 900, 900, 900, 900, 900, 900]);
});

test('progress begins the count anew', () => {
  const { next } = lookAt(round({ seconds: 9, done: done(1), look: 6, seen: 0 }), TIMES);
  expect(next).toMatchObject({ look: 0, seen: 1 });
});

test('a merge that does not come is announced twice as often as shards are waited for, then given up', () => {
  const at = (look: number) =>
    lookAt(round({ seconds: 9_000, done: done(1, 1, 1, 1), seen: 4, look }), TIMES).verdict.kind;
  expect(at(2 * MAX_LOOKS - 2)).toBe('merge');
  expect(at(2 * MAX_LOOKS - 1)).toBe('give-up');
});
