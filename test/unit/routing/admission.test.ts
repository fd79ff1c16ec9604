import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BELIEVED_MS, refusal } from '../../../core/routing/admission.ts';
import { predict } from '../../../core/routing/policy.ts';
import { ask, cloud, edge, free, NOW, several, variants } from './snapshots.ts';

const unknown = { latencyMs: null, learnedAt: null, answeredAt: null };
const old = { answeredAt: NOW - BELIEVED_MS - 1 };

describe('a request', () => {
  it.each([
    ['in time', [edge()], { deadlineMs: 10 }, undefined],
    ['late everywhere', [edge(), cloud()], { deadlineMs: 9 }, { kind: 'late', retryAfterMs: 1_000 }],
    [
      'late by a queue: when that is done',
      [edge({ inFlight: 800 })],
      { deadlineMs: 10 },
      { kind: 'late', retryAfterMs: 8_000 },
    ],
    [
      'not in half an hour',
      [edge({ inFlight: 180_000 })],
      { deadlineMs: 10 },
      { kind: 'late', retryAfterMs: 30_000 },
    ],
    ['unknown somewhere', [edge(), cloud(unknown)], { deadlineMs: 9 }, undefined],
    [
      'in time where it is ejected',
      [edge(), cloud({ latencyMs: 1, health: 'ejected' })],
      { deadlineMs: 9 },
      { kind: 'late' },
    ],
    ['all ejected: as it comes', [edge({ health: 'ejected' })], { deadlineMs: 9 }, undefined],
    ['no room', [edge({ inFlight: 3, limit: 3 })], {}, { kind: 'full', retryAfterMs: 1_000 }],
    [
      'no room here, late there',
      [edge({ inFlight: 3, limit: 3 }), cloud()],
      { deadlineMs: 9 },
      { kind: 'late' },
    ],
    ['room there', [edge({ inFlight: 3, limit: 3 }), cloud()], {}, undefined],
    ['in time degraded', variants('fp32', [{}, { latencyMs: 5 }]), { deadlineMs: 9 }, undefined],
    ['perhaps in time degraded', variants('fp32', [{}, unknown]), { deadlineMs: 9 }, undefined],
    [
      'nobody knows, in a crowd',
      variants('fp32', [{ inFlight: 4 }, unknown]),
      { deadlineMs: 9 },
      { kind: 'late' },
    ],
    ['late, but that is long ago', [edge(old)], { deadlineMs: 9 }, undefined],
    [
      'late, long ago, and somebody is finding out',
      [edge({ ...old, inFlight: 1 })],
      { deadlineMs: 9 },
      { kind: 'late' },
    ],
  ] as const)('%s', (_, targets, request, expected) => {
    const refused = refusal(ask(request), targets, NOW);
    if (expected === undefined) expect(refused).toBeUndefined();
    else expect(refused).toMatchObject(expected);
  });
});

describe('properties', () => {
  it('never refuses what a healthy target with room is predicted to answer in time, and refuses the rest', () => {
    fc.assert(
      fc.property(free, several, (request, targets) => {
        const refused = refusal(request, targets, NOW);
        const there = targets.filter(({ health }) => health !== 'ejected');
        const isRoom = there.some(({ inFlight, limit }) => inFlight < limit);
        const inTime = there.some((each) => {
          const { predictedMs } = predict(each);
          return each.inFlight < each.limit && predictedMs !== null && predictedMs <= request.deadlineMs;
        });
        if (inTime || there.length === 0) expect(refused).toBeUndefined();
        if (there.length > 0 && !isRoom) expect(refused?.kind).toBe('full');
        if (refused === undefined) return;
        expect(refused.retryAfterMs).toBeGreaterThanOrEqual(1_000);
        expect(refused.retryAfterMs).toBeLessThanOrEqual(30_000);
      }),
      { numRuns: 500 },
    );
  });

  it('is monotone: less load or more time never has a request refused that was admitted', () => {
    fc.assert(
      fc.property(free, several, fc.nat(500), fc.double({ min: 0, max: 1e6, noNaN: true }), (...given) => {
        const [request, targets, less, more] = given;
        // Of the same knowledge: a guess at an idle target is another matter.
        const known = targets.map((each) => ({ ...each, answeredAt: NOW }));
        if (refusal(request, known, NOW) !== undefined) return;
        const longer = { ...request, deadlineMs: request.deadlineMs + more };
        expect(refusal(longer, known, NOW)).toBeUndefined();
        const lighter = known.map((each) => ({
          ...each,
          inFlight: Math.max(0, each.inFlight - less),
          parts: each.parts && { ...each.parts, queue: each.parts.queue / 2 },
        }));
        expect(refusal(request, lighter, NOW)).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  it('starves nobody: what is refused is let through when the target is idle and nothing was heard for a while', () => {
    fc.assert(
      fc.property(free, several, (request, targets) => {
        const later = NOW + BELIEVED_MS + 1;
        const idle = targets.map((each) => ({ ...each, inFlight: 0 }));
        expect(refusal(request, idle, later)).toBeUndefined();
      }),
    );
  });
});
