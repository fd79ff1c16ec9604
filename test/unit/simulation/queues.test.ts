/** Servers against the formulas of queueing theory (Kleinrock 1975, "Queueing systems", volume 1). */
import { describe, expect, test } from 'vitest';
import { createRandom } from '../../../core/random.ts';
import type { Draw } from '../../../core/simulation/arrivals.ts';
import { createTimeline } from '../../../core/simulation/events.ts';
import { parseScenario } from '../../../core/simulation/parse.ts';
import type { ScenarioFile, SimulatedTarget } from '../../../core/simulation/scenario.ts';
import { type Answer, createServer } from '../../../core/simulation/server.ts';

const targetOf = (fields: Partial<ScenarioFile['targets'][number]>): SimulatedTarget =>
  parseScenario({
    name: 'test',
    about: '',
    seconds: 1,
    targets: [{ id: 'target', place: 'cloud', serviceMs: 1, ...fields }],
    traffic: [{ rate: [[0, 1]] }],
  }).targets[0]!;

const fate = (serviceMs: number, fields: Partial<Draw> = {}): Draw => ({
  networkMs: 0,
  serviceMs,
  coldMs: 0,
  luck: 0.5,
  ...fields,
});

/** Mean time in the server of requests that come at random, `perMs` of them. */
function meanSojourn(target: SimulatedTarget, perMs: number, work: (uniform: number) => number): number {
  const count = 100_000;
  const timeline = createTimeline();
  const server = createServer(target, timeline, createRandom(1));
  const random = createRandom(2);
  let sum = 0;
  let answered = 0;
  let at = 0;
  const come = (left: number) => {
    at -= Math.log(1 - random.uniform()) / perMs;
    timeline.schedule(at, () => {
      const arrivedAt = timeline.now();
      server.accept(fate(work(random.uniform())), () => {
        sum += timeline.now() - arrivedAt;
        answered += 1;
      });
      if (left > 1) come(left - 1);
    });
  };
  come(count);
  timeline.run();
  expect(answered).toBe(count);
  return sum / count;
}

const exponential = (mean: number) => (uniform: number) => -mean * Math.log(1 - uniform);

/** Share of requests that wait in M/M/c (Erlang 1917), `offered` in lanes. */
function erlangC(lanes: number, offered: number): number {
  let term = 1;
  let sum = 0;
  for (let k = 0; k < lanes; k++) {
    sum += term;
    term *= offered / (k + 1);
  }
  const waiting = (term * lanes) / (lanes - offered);
  return waiting / (sum + waiting);
}

describe('mean time in a server', () => {
  const rho = 0.7;
  const fifo = targetOf({});
  const shared = targetOf({ discipline: 'shared' });

  test('M/M/1: 1/(μ − λ)', () => {
    expect(meanSojourn(fifo, rho / 10, exponential(10)) / (10 / (1 - rho))).toBeCloseTo(1, 1.3);
  });

  test('M/D/1: half the wait of M/M/1 (Pollaczek & Khinchine)', () => {
    const expected = 10 + (rho * 10) / (2 * (1 - rho));
    expect(meanSojourn(fifo, rho / 10, () => 10) / expected).toBeCloseTo(1, 1.5);
  });

  test('M/M/4: the wait of Erlang C', () => {
    const lanes = 4;
    const expected = 10 + (erlangC(lanes, rho * lanes) * 10) / (lanes * (1 - rho));
    const mean = meanSojourn(targetOf({ lanes }), (rho * lanes) / 10, exponential(10));
    expect(mean / expected).toBeCloseTo(1, 1.5);
  });

  test('processor sharing depends on the mean of the work only: M/M/1 and M/D/1 alike', () => {
    const expected = 10 / (1 - rho);
    expect(meanSojourn(shared, rho / 10, exponential(10)) / expected).toBeCloseTo(1, 1.3);
    expect(meanSojourn(shared, rho / 10, () => 10) / expected).toBeCloseTo(1, 1.3);
  });
});

describe('one server', () => {
  function serverOf(fields: Partial<ScenarioFile['targets'][number]>) {
    const timeline = createTimeline();
    const server = createServer(targetOf(fields), timeline, createRandom(1));
    const answers: [string, number, Answer][] = [];
    const ask = (name: string, at: number, draw: Draw) => {
      let leave = () => {};
      timeline.schedule(at, () => {
        leave = server.accept(draw, (answer) => answers.push([name, timeline.now(), answer]));
      });
      return { leaveAt: (when: number) => timeline.schedule(when, () => leave()) };
    };
    const times = () => {
      timeline.run();
      return answers.map(([name, at]) => [name, at]);
    };
    return { timeline, server, ask, times, answers };
  }

  test('waits in turn; two lanes work side by side', () => {
    const { ask, times } = serverOf({ lanes: 2 });
    for (const name of ['a', 'b', 'c']) ask(name, 0, fate(10));
    expect(times()).toEqual([
      ['a', 10],
      ['b', 10],
      ['c', 20],
    ]);
  });

  test('shares: two at once take twice as long, a third one as long as it is there', () => {
    const { ask, times } = serverOf({ discipline: 'shared' });
    ask('a', 0, fate(10));
    ask('b', 0, fate(10));
    ask('c', 10, fate(1));
    // Until 10 each of two has 5 done; then three share until c is done at 13, then two again.
    expect(times()).toEqual([
      ['c', 13],
      ['a', 21],
      ['b', 21],
    ]);
  });

  test('a request that waits can be taken back, one that is worked on cannot', () => {
    const { ask, times } = serverOf({});
    ask('a', 0, fate(10)).leaveAt(1);
    ask('b', 0, fate(10)).leaveAt(5);
    ask('c', 0, fate(10));
    expect(times()).toEqual([
      ['a', 10],
      ['c', 20],
    ]);
  });

  test('a lane is cold at first and after being idle; the warmest is taken', () => {
    const { ask, times, answers } = serverOf({ lanes: 2, cold: { ms: 100, afterMs: 1_000 } });
    const draw = fate(10, { coldMs: 100 });
    ask('first', 0, draw);
    ask('beside it', 5, draw);
    // At 900 both lanes are warm, the second was used last; by 1950 only that one is still warm.
    ask('warm', 900, draw);
    ask('warm still', 1_900, draw);
    ask('the other lane', 1_905, draw);
    ask('cold again', 3_100, draw);
    times();
    expect(
      answers.map(([name, at, answer]) => [name, at, answer.kind === 'answered' && answer.cold]),
    ).toEqual([
      ['first', 110, true],
      ['beside it', 115, true],
      ['warm', 910, false],
      ['warm still', 1_910, false],
      ['the other lane', 2_015, true],
      ['cold again', 3_210, true],
    ]);
  });

  test('a change of speed applies to what is under way, from its time on', () => {
    const { ask, times } = serverOf({ disturbances: [{ kind: 'speed', from: 5, to: 25, factor: 0.25 }] });
    ask('a', 0, fate(12));
    // 5 by the time 5, another 5 until 25, the last 2 at full speed.
    expect(times()).toEqual([['a', 27]]);
  });

  test('a neighbour takes its share of the time', () => {
    const target = targetOf({ antagonist: { everyMs: 300, forMs: 100, factor: 0.2 } });
    const timeline = createTimeline();
    const server = createServer(target, timeline, createRandom(3));
    let done = 0;
    const work = () =>
      server.accept(fate(1), () => {
        done += 1;
        work();
      });
    work();
    timeline.run(200_000);
    // Three quarters of the time at full speed, a quarter at a fifth of it.
    expect(done / 200_000 / (0.75 + 0.25 * 0.2)).toBeCloseTo(1, 1.3);
  });

  test('errors, a full queue, a partition, a longer way', () => {
    const { ask, times, answers, server, timeline } = serverOf({
      queueLimit: 1,
      disturbances: [
        { kind: 'errors', from: 100, to: 200, share: 0.6 },
        { kind: 'partition', from: 300, to: 400 },
        { kind: 'network', from: 500, to: 600, extraMs: 40 },
      ],
    });
    for (const name of ['a', 'b', 'one too many']) ask(name, 0, fate(10));
    ask('unlucky', 100, fate(1, { luck: 0.59 }));
    ask('lucky', 199, fate(1, { luck: 0.61 }));
    const extra: number[] = [];
    for (const at of [299, 300, 399, 400, 500, 600])
      timeline.schedule(at, () => extra.push(server.networkExtraMs()));
    times();
    expect(answers.map(([name, at, { kind }]) => [name, at, kind])).toEqual([
      ['one too many', 0, 'failed'],
      ['a', 10, 'answered'],
      ['b', 20, 'answered'],
      ['unlucky', 100, 'failed'],
      ['lucky', 200, 'answered'],
    ]);
    expect(extra).toEqual([0, Infinity, Infinity, 0, 40, 0]);
  });

  test('a probe tells the load, and what was taken lately at about that load', () => {
    const { ask, timeline, server } = serverOf({});
    expect(server.probe()).toEqual({ target: 'target', inFlight: 0, latencyMs: 0 });
    ask('alone', 0, fate(10));
    ask('alone too', 100, fate(12));
    for (let i = 0; i < 20; i++) ask('crowd', 200, fate(10));
    timeline.run(205);
    expect(server.probe()).toMatchObject({ inFlight: 20, latencyMs: 12 });
    timeline.run(1_000);
    expect(server.probe().latencyMs).toBeGreaterThan(10);
    timeline.run(5_000);
    expect(server.probe().latencyMs).toBe(0);
  });

  test('a day of virtual time in one busy period ends: rounding stops no clock', () => {
    const { ask, times } = serverOf({ discipline: 'shared' });
    ask('long', 0.1, fate(1e8 / 3));
    for (let i = 0; i < 100; i++) ask('short', 8e7 / 7 + i * 1.1, fate(1 / 3));
    expect(times()).toHaveLength(101);
  });
});
