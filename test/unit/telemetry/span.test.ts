import { describe, expect, it } from 'vitest';
import { Traceparent } from '../../../core/contracts/primitives.ts';
import { spanOf, traceIdOfJob, traceparentOf } from '../../../core/telemetry/span.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const ones = (count: number) => '1'.repeat(2 * count);

describe('a span', () => {
  it('goes on in the trace of whoever asked, as his child', () => {
    const span = spanOf(`00-${TRACE}-${PARENT}-01`, ones);
    expect(span).toEqual({ traceId: TRACE, spanId: ones(8), parentSpanId: PARENT, sampled: true });
    expect(traceparentOf(span)).toBe(`00-${TRACE}-${ones(8)}-01`);
  });

  it('keeps whether the trace is sampled', () => {
    expect(traceparentOf(spanOf(`00-${TRACE}-${PARENT}-00`, ones))).toMatch(/-00$/);
  });

  it.each([undefined, null, '', 'nonsense', `00-${'0'.repeat(32)}-${PARENT}-01`])(
    'begins a trace where it is given %j',
    (given) => {
      const begun = { traceId: ones(16), spanId: ones(8), parentSpanId: undefined, sampled: true };
      expect(spanOf(given, ones)).toEqual(begun);
      expect(spanOf(given, ones, TRACE)).toEqual({ ...begun, traceId: TRACE });
    },
  );

  it('is told in what documents and messages take', () => {
    expect(Traceparent.safeParse(traceparentOf(spanOf(undefined, ones))).success).toBe(true);
    expect(Traceparent.safeParse(`01-${TRACE}-${PARENT}-01`).success).toBe(false);
  });
});

it("a job's own trace is a function of its id", async () => {
  const [one, again, other] = await Promise.all(['job_a', 'job_a', 'job_b'].map(traceIdOfJob));
  expect(one).toMatch(/^[0-9a-f]{32}$/);
  expect(again).toBe(one);
  expect(other).not.toBe(one);
});
