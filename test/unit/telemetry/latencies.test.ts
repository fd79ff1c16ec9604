import { expect, it } from 'vitest';
import { createLatencies } from '../../../core/telemetry/latencies.ts';

it('tells what requests took lately at about the load there is', () => {
  const latencies = createLatencies();
  expect(latencies.at(0, 0)).toBe(0);
  for (let i = 0; i < 9; i++) latencies.add(0, 10 + i, i);
  for (let i = 0; i < 9; i++) latencies.add(20, 200 + i, i);
  expect(latencies.at(0, 10)).toBe(14);
  expect(latencies.at(2, 10)).toBe(14);
  expect(latencies.at(19, 10)).toBe(204);
});

it('forgets: after two seconds nothing is known, and of many the oldest goes', () => {
  const latencies = createLatencies();
  latencies.add(0, 10, 0);
  expect([latencies.at(0, 1_999), latencies.at(0, 2_000)]).toEqual([10, 0]);
  for (let i = 0; i < 64; i++) latencies.add(5, 50, 1_000);
  expect(latencies.at(0, 1_001)).toBe(50);
});
