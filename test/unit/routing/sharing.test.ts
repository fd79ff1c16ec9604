import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SHARED_BYTES, SHARED_MODELS, type Summary, Telling, Told } from '../../../core/contracts/sharing.ts';
import { HELD_MS } from '../../../core/routing/announced.ts';
import { CONSECUTIVE_FAILURES, healthAt } from '../../../core/routing/ejection.ts';
import {
  type Gathering,
  heard,
  ISOLATES,
  joined,
  KEPT_MS,
  NOBODY,
  toldTo,
} from '../../../core/routing/gathering.ts';
import { aged, merged, NEWS_MS } from '../../../core/routing/merging.ts';
import { predict } from '../../../core/routing/policy.ts';
import { OWN_MS, summaryOf, told } from '../../../core/routing/sharing.ts';
import {
  attemptOf,
  type AttemptResult,
  ended,
  initialState,
  type RoutingState,
  snapshot,
  started,
} from '../../../core/routing/state.ts';
import { PLACES, type Place, targetConfig } from '../../../core/routing/targets.ts';

const NEW = initialState([targetConfig('edge', 'edge'), targetConfig('cloud', 'cloud')]);
const OK: AttemptResult = { kind: 'answered', refused: false, cold: false, reported: null, serviceMs: null };
const FAILED: AttemptResult = { kind: 'failed' };

interface One {
  readonly target: Place;
  readonly at: number;
  readonly ms: number;
  readonly model?: string;
  readonly bytes?: number;
  readonly result?: AttemptResult;
}

function go(
  state: RoutingState,
  { target, at, ms, model = 'm', bytes = 100, result = OK }: One,
): RoutingState {
  const asked = { target, model, bytes, reason: 'random', predictedMs: null, infers: true } as const;
  const attempt = attemptOf(state, asked, at);
  return ended(started(state, attempt), attempt, result, at + ms);
}

const taught = (state: RoutingState, ones: readonly One[]): RoutingState => ones.reduce(go, state);
const times = (count: number, of: (i: number) => One): One[] =>
  Array.from({ length: count }, (_, i) => of(i));
const ejected = (target: Place, at: number) =>
  taught(
    NEW,
    times(CONSECUTIVE_FAILURES, () => ({ target, at, ms: 1, result: FAILED })),
  );
const predicted = (state: RoutingState, target: Place, now: number, bytes = 100) =>
  predict(snapshot(state, { model: 'm', bytes }, now).find(({ id }) => id === target)!).predictedMs;
const health = (state: RoutingState, target: Place, now: number) => healthAt(state.get(target)!.health, now);
const summary = (all: Summary) => ({ v: 1, isolates: 1, summary: all }) as const;

/** Any history of an isolate, until 100 s. */
const history = fc.array(
  fc.record({
    target: fc.constantFrom(...PLACES),
    at: fc.integer({ min: 0, max: 99_000 }),
    ms: fc.integer({ min: 0, max: 999 }),
    model: fc.constantFrom('a', 'b', 'c'),
    bytes: fc.integer({ min: 0, max: 10_000 }),
    result: fc.constantFrom<AttemptResult>(OK, { ...OK, cold: true }, { ...OK, serviceMs: 0.5 }, FAILED, {
      kind: 'timeout',
    }),
  }),
  { maxLength: 40 },
);
const NOW = 100_000;
const summaries = history.map((ones) =>
  summaryOf(
    taught(
      NEW,
      ones.toSorted((a, b) => a.at - b.at),
    ),
    NOW,
  ),
);

/** Equal but for rounding. */
function expectAlike(a: unknown, b: unknown, path = ''): void {
  if (typeof a === 'number' && typeof b === 'number')
    return expect(Math.abs(a - b), path).toBeLessThanOrEqual(1e-6 * (1 + Math.abs(a) + Math.abs(b)));
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object')
    return expect(a, path).toBe(b);
  const left = new Map(Object.entries(a));
  const right = new Map(Object.entries(b));
  expect([...left.keys()].sort(), path).toEqual([...right.keys()].sort());
  for (const [key, value] of left) expectAlike(value, right.get(key), `${path}.${key}`);
}

describe('summaries of isolates', () => {
  it('merge in any order and grouping to the same', () => {
    fc.assert(
      fc.property(summaries, summaries, summaries, (a, b, c) => {
        expectAlike(merged(a, b), merged(b, a));
        expectAlike(merged(merged(a, b), c), merged(a, merged(b, c)));
        expect(merged(a, {})).toEqual(a);
      }),
    );
  });

  it('age as well before they are merged as after', () => {
    const ms = fc.integer({ min: 0, max: 1_000 });
    fc.assert(
      fc.property(summaries, summaries, ms, (a, b, age) => {
        const learned = (all: Summary) =>
          Object.values(all).map(({ network, models }) => ({ network, models }));
        expectAlike(learned(aged(merged(a, b), age)), learned(merged(aged(a, age), aged(b, age))));
      }),
    );
  });

  it('are what the contract says, alone and together, after any history', () => {
    fc.assert(
      fc.property(summaries, summaries, fc.integer({ min: 0, max: KEPT_MS }), (a, b, age) => {
        const all = JSON.parse(JSON.stringify(summary(aged(merged(a, b), age)))) as unknown;
        expect(Told.safeParse(all).success).toBe(true);
      }),
    );
  });

  it('do not grow with what clients ask for', () => {
    const state = taught(
      NEW,
      times(400, (i) => ({
        target: PLACES[i % 2]!,
        at: i,
        ms: Math.PI,
        model: `m${i}`.padEnd(60, 'x'),
        bytes: i,
      })),
    );
    const { edge } = summaryOf(state, 500);
    expect(Object.keys(edge!.models)).toHaveLength(SHARED_MODELS);
    expect(Object.keys(edge!.models)[0]).toMatch(/^m398x/);
    // 16 targets at their bounds.
    expect(JSON.stringify(edge).length * 16).toBeLessThan(SHARED_BYTES);
  });
});

const telling = (isolate: number, sequence: number, all: Summary): Telling => ({
  v: 1,
  isolate: isolate.toString(16).padStart(16, '0'),
  sequence,
  summary: all,
});

describe('the gathering of a point of presence', () => {
  const inFlight = (count: number) => {
    const [edge] = Object.values(summaryOf(NEW, 0));
    return { edge: { ...edge!, inFlight: count } };
  };
  /** An isolate's summary is a function of its sequence. */
  const gatherings = fc
    .array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 9 })), { maxLength: 12 })
    .map((all) =>
      all.reduce<Gathering>(
        (known, [isolate, sequence]) => heard(known, telling(isolate, sequence, inFlight(sequence)), 7),
        NOBODY,
      ),
    );
  const view = (gathering: Gathering) => [...gathering].sort(([a], [b]) => (a < b ? -1 : 1));

  it('joins in any order, grouping and number of times to the same', () => {
    fc.assert(
      fc.property(gatherings, gatherings, gatherings, (a, b, c) => {
        expect(view(joined(a, b))).toEqual(view(joined(b, a)));
        expect(view(joined(joined(a, b), c))).toEqual(view(joined(a, joined(b, c))));
        expect(view(joined(a, a))).toEqual(view(a));
        expect(view(joined(joined(a, b), b))).toEqual(view(joined(a, b)));
      }),
    );
  });

  it('counts an isolate once, by its newest word, and never to itself', () => {
    let all = heard(NOBODY, telling(1, 2, inFlight(5)), 0);
    all = heard(all, telling(1, 1, inFlight(50)), 10);
    all = heard(all, telling(2, 1, inFlight(7)), 20);
    expect(toldTo(all, telling(3, 1, {}).isolate, 30)).toMatchObject({
      isolates: 2,
      summary: { edge: { inFlight: 12 } },
    });
    expect(toldTo(all, telling(1, 1, {}).isolate, 30)).toMatchObject({
      isolates: 1,
      summary: { edge: { inFlight: 7 } },
    });
  });

  it('forgets: requests in flight soon, isolates later, and the longest silent of too many', () => {
    const one = heard(NOBODY, telling(1, 1, inFlight(5)), 0);
    expect(toldTo(one, 'x', NEWS_MS).summary['edge']?.inFlight).toBe(0);
    expect(toldTo(one, 'x', KEPT_MS)).toEqual({ v: 1, isolates: 0, summary: {} });
    const many = times(ISOLATES + 9, (i) => ({ target: 'edge', at: i, ms: 0 })).reduce(
      (known, { at }) => heard(known, telling(at, 1, inFlight(1)), at),
      NOBODY,
    );
    expect(many.size).toBe(ISOLATES);
    expect(many.has(telling(8, 1, {}).isolate)).toBe(false);
    expect(many.has(telling(9, 1, {}).isolate)).toBe(true);
  });

  it('tells of each model the newest release that was announced, so much older, and none that is past', () => {
    const release = (number: number, ageMs: number) => ({
      m: { release: number, exclude: ['cloud'], ageMs },
    });
    let all = heard(NOBODY, { ...telling(1, 1, {}), announced: release(7, 0) }, 0);
    all = heard(all, { ...telling(2, 1, {}), announced: release(8, 500) }, 1_000);
    expect(toldTo(all, 'x', 2_000).announced).toEqual(release(8, 1_500));
    expect(toldTo(all, telling(2, 1, {}).isolate, 2_000).announced).toEqual(release(7, 2_000));
    expect(toldTo(all, 'x', 501 + HELD_MS).announced).toBeUndefined();
  });

  it('takes only what the contract allows', () => {
    const sound = telling(1, 1, inFlight(1));
    expect(Telling.safeParse(sound).success).toBe(true);
    for (const wrong of [
      { ...sound, v: 2 },
      { ...sound, isolate: 'x' },
      { ...sound, more: 1 },
      { ...sound, summary: inFlight(-1) },
      { ...sound, summary: inFlight(0.5) },
      { ...sound, summary: { ['e'.repeat(200)]: inFlight(1).edge } },
    ])
      expect(Telling.safeParse(wrong).success, JSON.stringify(wrong)).toBe(false);
  });
});

describe('an isolate that is told', () => {
  const experienced = taught(NEW, [
    ...times(40, (i) => ({ target: 'edge' as const, at: i * 10, ms: 20 + i, bytes: 100 * i })),
    ...times(40, (i) => ({
      target: 'cloud' as const,
      at: i * 10,
      ms: 30,
      bytes: 100 * i,
      result: { ...OK, serviceMs: 10 },
    })),
  ]);

  it('predicts at once, for every size, as those who know', () => {
    const fresh = told(NEW, summary(summaryOf(experienced, 1_000)), 5);
    for (const target of PLACES)
      for (const bytes of [0, 2_000, 4_000]) {
        const known = predicted(experienced, target, 1_000, bytes)!;
        expect(Math.abs(predicted(fresh, target, 5, bytes)! - known), target).toBeLessThan(0.02 * known);
      }
    expect(snapshot(fresh, { model: 'm', bytes: 1 }, 5)[1]!.peakMs).toBeCloseTo(30, 5);
  });

  it('tells nothing of it on: there are no rumours', () => {
    const all = merged(summaryOf(experienced, 1_000), summaryOf(ejected('cloud', 1_000), 1_000));
    const fresh = told(NEW, summary(all), 0);
    expect(summaryOf(fresh, 0)).toEqual(summaryOf(NEW, 0));
  });

  it('soon believes its own readings more', () => {
    let state = told(NEW, summary(summaryOf(experienced, 1_000)), 0);
    state = taught(
      state,
      times(8, (i) => ({ target: 'edge', at: i * 300, ms: 200, bytes: 2_000 })),
    );
    expect(predicted(state, 'edge', 2_400, 2_000)).toBeGreaterThan(150);
    const again = told(state, summary(summaryOf(experienced, 1_000)), 2_400);
    expect(predicted(again, 'edge', 2_400, 2_000)).toBe(predicted(state, 'edge', 2_400, 2_000));
  });

  it('believes others where its own last reading is old and theirs are not', () => {
    const own = taught(
      NEW,
      times(5, (i) => ({ target: 'edge', at: i, ms: 500 })),
    );
    const news = summary(summaryOf(experienced, 400));
    const soon = told(own, news, 600);
    expect(predicted(soon, 'edge', 600)).toBeGreaterThan(400);
    const later = told(own, news, 600 + OWN_MS);
    expect(predicted(later, 'edge', 600 + OWN_MS)).toBeLessThan(100);
  });

  it('counts the requests of others, for as long as they are news', () => {
    const attempt = attemptOf(
      NEW,
      { target: 'edge', model: 'm', bytes: 1, reason: 'random', predictedMs: null, infers: true },
      0,
    );
    const busy = started(started(NEW, attempt), attempt);
    const state = told(NEW, summary(summaryOf(busy, 0)), 1_000);
    const load = (now: number) => snapshot(state, { model: 'm', bytes: 1 }, now)[0]!.inFlight;
    expect([load(1_000), load(999 + NEWS_MS), load(1_000 + NEWS_MS)]).toEqual([2, 2, 0]);
  });

  it('leaves out what most others see fail, until the first of them tries it again', () => {
    const at = 5_000;
    const news = summary(summaryOf(ejected('cloud', at), at + 10_000));
    const state = told(NEW, news, 0);
    expect(health(state, 'cloud', 0)).toBe('ejected');
    expect(health(state, 'cloud', 20_002)).toBe('half-open');
    // Told once more later it is not out for longer.
    const again = told(state, summary(aged(news.summary, 10_000)), 10_000);
    expect(health(again, 'cloud', 20_002)).toBe('half-open');
  });

  it('trusts its own eyes, and a majority, and always leaves a target', () => {
    const failing = summaryOf(ejected('cloud', 0), 100);
    const answered = taught(NEW, [{ target: 'cloud', at: 90, ms: 10 }]);
    expect(health(told(answered, summary(failing), 100), 'cloud', 100)).toBe('healthy');
    const split = merged(failing, summaryOf(answered, 100));
    expect(health(told(NEW, summary(split), 0), 'cloud', 0)).toBe('healthy');
    const both = merged(failing, summaryOf(ejected('edge', 0), 100));
    const state = told(NEW, summary(both), 0);
    expect(PLACES.filter((target) => health(state, target, 0) === 'healthy')).toHaveLength(1);
  });

  it('tries at once what others see answer again', () => {
    const out = ejected('cloud', 1_000);
    const before = summaryOf(taught(NEW, [{ target: 'cloud', at: 900, ms: 10 }]), 1_500);
    expect(health(told(out, summary(before), 1_500), 'cloud', 1_500)).toBe('ejected');
    const after = summaryOf(taught(NEW, [{ target: 'cloud', at: 1_400, ms: 10 }]), 1_500);
    expect(health(told(out, summary(after), 1_500), 'cloud', 1_500)).toBe('half-open');
  });

  it('can be told anything that the contract allows, and still routes', () => {
    fc.assert(
      fc.property(summaries, history, (all, ones) => {
        const own = taught(
          NEW,
          ones.toSorted((a, b) => a.at - b.at),
        );
        const state = told(own, summary(all), NOW);
        for (const { inFlight, parts, busy } of snapshot(state, { model: 'a', bytes: 50 }, NOW + 1))
          expect(
            [inFlight, busy, ...Object.values(parts ?? {})].every((x) => Number.isFinite(x) && x >= 0),
          ).toBe(true);
        const open = [...state.values()].filter(({ health: each }) => healthAt(each, NOW) === 'healthy');
        const openBefore = [...own.values()].filter(({ health: each }) => healthAt(each, NOW) === 'healthy');
        expect(open.length).toBeGreaterThanOrEqual(Math.min(1, openBefore.length));
      }),
    );
  });
});
