import { describe, expect, it } from 'vitest';
import { serverTiming } from '../../../core/telemetry/server-timing.ts';
import { traceOf } from '../../../core/telemetry/trace.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const randomHex = (count: number) =>
  Array.from({ length: count }, (_, i) => (i + 1).toString(16).padStart(2, '0')).join('');
const from = (headers: Record<string, string>) => traceOf(new Headers(headers), randomHex);

describe('trace context', () => {
  it('continues a trace with a span of its own', () => {
    const { traceparent, tracestate } = from({ traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: 'a=b' });
    expect(traceparent).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
    expect(traceparent).not.toContain(SPAN);
    expect(tracestate).toBe('a=b');
  });

  it.each([
    ['not sampled', `00-${TRACE}-${SPAN}-00`, '00'],
    ['flags of later versions are not ours to send', `00-${TRACE}-${SPAN}-ff`, '01'],
    ['a later version with more', `cc-${TRACE}-${SPAN}-01-more`, '01'],
  ])('%s', (_, traceparent, flags) => {
    expect(from({ traceparent }).traceparent).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-${flags}$`));
  });

  it.each([
    ['none', undefined],
    ['nonsense', 'hello'],
    ['the invalid version', `ff-${TRACE}-${SPAN}-01`],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['a parent of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['capitals', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['more than version 00 has', `00-${TRACE}-${SPAN}-01-more`],
  ])('starts a sampled trace for %s, without the state of another', (_, traceparent) => {
    const started = from({ ...(traceparent === undefined ? {} : { traceparent }), tracestate: 'a=b' });
    expect(started.traceparent).toMatch(/^00-(?!4bf9)[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(started.tracestate).toBeUndefined();
  });

  it('repeats a harmless request id and replaces any other', () => {
    expect(from({ 'x-request-id': 'abc-1.2:3' }).requestId).toBe('abc-1.2:3');
    for (const given of ['', 'a b', '<script>', 'x'.repeat(129)])
      expect(from({ 'x-request-id': given }).requestId).toMatch(/^[0-9a-f]{32}$/);
    expect(from({}).requestId).not.toBe(from({}).traceparent.slice(3, 35));
  });
});

describe('Server-Timing', () => {
  it('lists names, milliseconds and descriptions', () => {
    expect(
      serverTiming([
        { name: 'route', ms: 0 },
        { name: 'edge', ms: 1.23456, description: 'say "what"\\' },
        { name: 'cloud', ms: -1 },
      ]),
    ).toBe('route;dur=0, edge;dur=1.235;desc="say what", cloud;dur=0');
  });
});
