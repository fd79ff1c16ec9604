/** Structured logs: a line of JSON per event, as core/contracts/log.ts has them. */
import type { LoggedError, LogLine } from '../contracts/log.ts';
import { Fault, inFull } from '../errors.ts';
import type { Span } from './span.ts';
import type { RandomHex } from './trace.ts';

export type Log = (line: LogLine) => void;

/** What a function needs to be watched. */
export interface Telemetry {
  readonly log: Log;
  /** For the ids of spans. */
  readonly randomHex: RandomHex;
}

/** @param write takes a line without its end */
export const jsonLog =
  (write: (line: string) => void): Log =>
  (line) =>
    write(JSON.stringify(line));

/** The fields that tell where in which trace a line belongs. */
export const spanFields = ({ traceId, spanId, parentSpanId }: Span) => ({
  traceId,
  spanId,
  ...(parentSpanId === undefined ? {} : { parentSpanId }),
});

/** A Fault that says what was asked wrongly needs no stack; of everything else it is what one looks for. */
export function loggedError(thrown: unknown): LoggedError {
  if (!(thrown instanceof Error)) return { name: typeof thrown, message: String(thrown) };
  const { name, stack } = thrown;
  const fault = thrown instanceof Fault ? thrown : undefined;
  const needsStack = fault === undefined || fault.code === 'internal';
  return {
    name,
    message: inFull(thrown),
    ...(fault === undefined ? {} : { code: fault.code }),
    ...(fault?.field === undefined ? {} : { field: fault.field }),
    ...(stack === undefined || !needsStack ? {} : { stack }),
  };
}
