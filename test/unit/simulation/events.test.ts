import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createTimeline } from '../../../core/simulation/events.ts';

test('things happen in the order of their time, and of their scheduling where times are equal', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 200 }), (times) => {
      const timeline = createTimeline();
      const seen: [number, number][] = [];
      times.forEach((at, i) => timeline.schedule(at, () => seen.push([at, i])));
      timeline.run();
      const expected = times
        .map((at, i): [number, number] => [at, i])
        .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      expect(seen).toEqual(expected);
    }),
  );
});

test('what happens may schedule more; nothing happens in the past', () => {
  const timeline = createTimeline();
  const seen: [string, number][] = [];
  const say = (word: string) => () => seen.push([word, timeline.now()]);
  timeline.schedule(10, () => {
    timeline.schedule(3, say('late'));
    timeline.schedule(15, say('later'));
  });
  timeline.schedule(12, say('between'));
  timeline.run();
  expect(seen).toEqual([
    ['late', 10],
    ['between', 12],
    ['later', 15],
  ]);
});

test('runs up to a time, that included, and goes on from there', () => {
  const timeline = createTimeline();
  const seen: number[] = [];
  for (const at of [1, 2, 3]) timeline.schedule(at, () => seen.push(at));
  timeline.run(2);
  expect([seen, timeline.now()]).toEqual([[1, 2], 2]);
  timeline.run(2.5);
  expect(timeline.now()).toBe(2.5);
  timeline.run();
  expect(seen).toEqual([1, 2, 3]);
});
