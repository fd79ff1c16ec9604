/** Meters of executions that go on with each other's work. */
import { expect, test } from 'vitest';
import { MAX_EXECUTIONS, TaskMeter } from '../../../core/contracts/usage.ts';
import { NO_USAGE } from '../../../core/costs/usage.ts';
import { goOn, meterOf } from '../../../core/jobs/meter.ts';

const START = Date.parse('2026-01-02T03:04:05Z');
/** Two and a half seconds, begun `second` seconds after the start. */
const own = (second: number): TaskMeter => ({
  startedAt: new Date(START + second * 1000).toISOString(),
  usage: { ...NO_USAGE, functionSeconds: 2.5, invocations: 1 },
  executions: [{ at: 0, seconds: 2.5, place: '0123456789abcdef' }],
});

test('an execution of its own is as it was, with what the queue says of it', () => {
  expect(goOn(undefined, own(0), {})).toEqual(own(0));
  expect(goOn(undefined, own(0), { attempt: 2, copy: 3 }).executions).toEqual([
    { at: 0, seconds: 2.5, place: '0123456789abcdef', attempt: 2, copy: 3 },
  ]);
});

test('however many hand on to each other, all are counted, and the meter fits the metadata of an object', () => {
  let meter: TaskMeter | undefined;
  for (let n = 0; n < 40; n++) meter = goOn(meter, own(n * 10), { attempt: 5, copy: 8 });
  expect(TaskMeter.parse(meter)).toEqual(meter);
  expect(meter!.startedAt).toBe(own(0).startedAt);
  expect(meter!.usage).toMatchObject({ functionSeconds: 100, invocations: 40 });
  expect(meter!.executions).toHaveLength(MAX_EXECUTIONS);
  const [early, next] = meter!.executions!;
  // The first 25 as one, from the first's start to the last's end.
  expect(early).toMatchObject({ at: 0, seconds: 242.5 });
  expect(next).toMatchObject({ at: 250, seconds: 2.5 });
  const text = JSON.stringify(meter);
  expect(text.length).toBeLessThan(2048);
  expect(meterOf({ metadata: { meter: text } })).toEqual(meter);
});
