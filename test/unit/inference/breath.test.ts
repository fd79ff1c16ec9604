/** Breaths between runs, on a thread whose clock moves, and whose timers go off, only when it looks for input. */
import { expect, test } from 'vitest';
import { createBreath } from '../../../core/inference/breath.ts';
import { serialized } from '../../../core/inference/serialized.ts';

function createThread() {
  const time = { now: 100, real: 100 };
  let timers: (() => void)[] = [];
  const breath = createBreath({
    clock: () => time.now,
    after(ms, wake) {
      expect(ms).toBe(0);
      timers.push(wake);
      return () => (timers = timers.filter((each) => each !== wake));
    },
  });
  return {
    breath,
    /** A run, unless a breath is due before it. @returns whether it ran */
    run(ms: number): boolean {
      if (breath.due() !== undefined) return false;
      breath.runs();
      time.real += ms;
      return true;
    },
    /** Looks for input: the clock moves, and timers that are due go off. */
    poll() {
      time.now = Math.floor(time.real);
      const due = timers;
      timers = [];
      for (const wake of due) wake();
    },
    idle(ms: number) {
      time.real += ms;
      time.now = Math.floor(time.real);
    },
    timers: () => timers.length,
  };
}

test('after a long run the next one waits until input was looked at', async () => {
  const thread = createThread();
  expect(thread.run(10)).toBe(true);
  const due = thread.breath.due();
  expect(due).toBeDefined();
  thread.poll();
  await due;
  expect(thread.run(10)).toBe(true);
});

test('of all that waited for a breath only the first goes on: the others wait for the next one', () => {
  const thread = createThread();
  thread.run(10);
  expect([thread.run(10), thread.run(10), thread.run(10)]).toEqual([false, false, false]);
  thread.poll();
  expect([thread.run(10), thread.run(10)]).toEqual([true, false]);
});

test('many short runs go by without one, as many as take some milliseconds', () => {
  const thread = createThread();
  const stretches: number[] = [];
  for (let i = 0; i < 30; i++) {
    let runs = 0;
    while (thread.run(0.1)) runs += 1;
    thread.poll();
    stretches.push(runs);
  }
  // Nothing is known at first.
  expect(stretches[0]).toBe(1);
  for (const runs of stretches.slice(-10)) {
    expect(runs).toBeGreaterThan(20);
    expect(runs).toBeLessThanOrEqual(100);
  }
});

test('a model that grows slow is noticed', () => {
  const thread = createThread();
  for (let i = 0; i < 30; i++) {
    while (thread.run(0.1));
    thread.poll();
  }
  const stretches: number[] = [];
  for (let i = 0; i < 12; i++) {
    let runs = 0;
    while (thread.run(10)) runs += 1;
    thread.poll();
    stretches.push(runs);
  }
  expect(stretches.slice(-4)).toEqual([1, 1, 1, 1]);
});

test('requests that come one after the other never wait', () => {
  const thread = createThread();
  for (let i = 0; i < 50; i++) {
    expect(thread.run(10)).toBe(true);
    thread.poll();
    thread.idle(11);
  }
});

test('short runs now and then are not taken for long ones, and set hardly a timer', () => {
  const thread = createThread();
  let timers = 0;
  for (let i = 0; i < 50; i++) {
    expect(thread.run(0.1)).toBe(true);
    timers += thread.timers();
    thread.poll();
    thread.idle(20);
  }
  expect(timers).toBeLessThan(5);
});

test('a session says when a breath is due', async () => {
  const thread = createThread();
  const load = () =>
    Promise.resolve({
      inputs: [],
      outputs: [],
      run: () => Promise.resolve({}),
      release: () => Promise.resolve(),
    });
  const session = await serialized({ name: 'fake', load }, thread.breath).load(new Uint8Array());
  expect(session.busy!()).toBeUndefined();
  await session.run({}, []);
  expect(session.busy!()).toBeDefined();
  thread.poll();
  expect(session.busy!()).toBeUndefined();
});
