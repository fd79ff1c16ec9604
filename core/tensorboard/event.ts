/** What TensorBoard reads: `Event` of tensorflow/core/util/event.proto, `Summary` of framework/summary.proto. */
import {
  double,
  encodeMessage,
  float,
  integer,
  type Message,
  message,
  optional,
  repeated,
  string,
  type Table,
} from '../onnx/wire.ts';
import { encodeRecord } from './record.ts';

interface Value extends Message {
  readonly tag: string | undefined;
  readonly simpleValue: number | undefined;
}
interface Summary extends Message {
  readonly value: readonly Value[];
}
interface Event extends Message {
  /** Seconds since 1970. */
  readonly wallTime: number | undefined;
  readonly step: number | undefined;
  readonly fileVersion: string | undefined;
  readonly summary: Summary | undefined;
}

const VALUE: Table<Value> = { tag: optional(1, string), simpleValue: optional(2, float) };
const SUMMARY: Table<Summary> = {
  value: repeated(
    1,
    message(() => VALUE),
  ),
};
const EVENT: Table<Event> = {
  wallTime: optional(1, double),
  step: optional(2, integer),
  fileVersion: optional(3, string),
  summary: optional(
    5,
    message(() => SUMMARY),
  ),
};

/** Scalars of one step, by tag. */
export interface Scalars {
  /** Unix time in milliseconds. */
  readonly at: number;
  readonly step: number;
  /** TensorBoard keeps them in float32. */
  readonly values: Readonly<Record<string, number>>;
}

/** The first record of a file. @param at Unix time in milliseconds */
export const encodeVersion = (at: number): Uint8Array<ArrayBuffer> =>
  encodeRecord(
    encodeMessage(EVENT, {
      wallTime: at / 1000,
      step: undefined,
      fileVersion: 'brain.Event:2',
      summary: undefined,
    }),
  );

export const encodeScalars = ({ at, step, values }: Scalars): Uint8Array<ArrayBuffer> =>
  encodeRecord(
    encodeMessage(EVENT, {
      wallTime: at / 1000,
      step,
      fileVersion: undefined,
      summary: { value: Object.entries(values).map(([tag, simpleValue]) => ({ tag, simpleValue })) },
    }),
  );

/** TensorBoard looks for `tfevents` in a name and reads a folder's files in the order of their times. */
export const eventFileName = (at: number, host: string): string =>
  `events.out.tfevents.${String(Math.floor(at / 1000)).padStart(10, '0')}.${host}`;
