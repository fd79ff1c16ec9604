import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { admission, BELIEVED_MS, TRY_EVERY_MS } from '../../../core/routing/admission.ts';
import { predict } from '../../../core/routing/policy.ts';
import { ask, cloud, edge, free, NOW, several, variants } from './snapshots.ts';

const unknown = { latencyMs: null, learnedAt: null, answeredAt: null };
const old = { answeredAt: NOW - TRY_EVERY_MS };

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
    [
      'late, but that was a second ago',
      [edge(old)],
      { deadlineMs: 9 },
      { kind: 'try', target: { id: 'edge' } },
    ],
    [
      'late, a second ago, and somebody is finding out',
      [edge({ ...old, inFlight: 1 })],
      { deadlineMs: 9 },
      { kind: 'late' },
    ],
    [
      'late, a second ago, and somebody found out since',
      [edge({ ...old, copiedAt: NOW - TRY_EVERY_MS + 1 })],
      { deadlineMs: 9 },
      { kind: 'late' },
    ],
    [
      'late by that much that tries would take the lane from others',
      [edge({ ...old, latencyMs: 300 })],
      { deadlineMs: 9 },
      { kind: 'late' },
    ],
    [
      'late here, old news there: that one finds out, whatever the policy would say',
      [edge({ latencyMs: 10 }), cloud({ ...old, latencyMs: 300, lanes: 32 })],
      { deadlineMs: 9 },
      { kind: 'try', target: { id: 'cloud' } },
    ],
    [
      'old news everywhere: the quicker one',
      [edge({ ...old, latencyMs: 30 }), cloud({ ...old, latencyMs: 20 })],
      { deadlineMs: 9 },
      { kind: 'try', target: { id: 'cloud' } },
    ],
    [
      'has its trial under way',
      [edge({ ...old, health: 'half-open', trialUnderWay: true })],
      { deadlineMs: 9 },
      { kind: 'late' },
    ],
  ] as const)('%s', (_, targets, request, expected) => {
    const refused = admission(ask(request), targets, NOW);
    if (expected === undefined) expect(refused).toBeUndefined();
    else expect(refused).toMatchObject(expected);
  });
});

describe('properties', () => {
  it('never refuses what a healthy target with room is predicted to answer in time, and refuses the rest', () => {
    fc.assert(
      fc.property(free, several, (request, targets) => {
        const refused = admission(request, targets, NOW);
        const there = targets.filter(({ health }) => health !== 'ejected');
        const isRoom = there.some(({ inFlight, limit }) => inFlight < limit);
        const inTime = there.some((each) => {
          const { predictedMs } = predict(each);
          return each.inFlight < each.limit && predictedMs !== null && predictedMs <= request.deadlineMs;
        });
        if (inTime || there.length === 0) expect(refused).toBeUndefined();
        if (there.length > 0 && !isRoom) expect(refused?.kind).toBe('full');
        if (refused === undefined) return;
        if (refused.kind === 'try') {
          expect(there).toContain(refused.target);
          expect(refused.target.inFlight).toBeLessThan(refused.target.lanes);
          return;
        }
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
        if (admission(request, known, NOW) !== undefined) return;
        const longer = { ...request, deadlineMs: request.deadlineMs + more };
        expect(admission(longer, known, NOW)).toBeUndefined();
        const lighter = known.map((each) => ({
          ...each,
          inFlight: Math.max(0, each.inFlight - less),
          parts: each.parts && { ...each.parts, queue: each.parts.queue / 2 },
        }));
        expect(admission(request, lighter, NOW)).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  it('starves nobody: what is refused is tried when a target is idle and nothing was heard of it for a while', () => {
    fc.assert(
      fc.property(free, several, (request, targets) => {
        const later = NOW + BELIEVED_MS + 1;
        const idle = targets.map((each) => ({ ...each, inFlight: 0, trialUnderWay: false }));
        expect([undefined, 'try']).toContain(admission(request, idle, later)?.kind);
      }),
    );
  });
});
