/** Server-sent events of one stream after another: each ends after a while, and connections are lost on the way. */
import { setTimeout } from 'node:timers/promises';
import { type EventSourceMessage, EventSourceParserStream } from 'eventsource-parser/stream';
import { Fault } from '../../core/errors.ts';

/** Milliseconds before the next stream: where the last one told something, and doubled each time that one does not. */
const AGAIN_MS = 250;
const LONGEST_PAUSE_MS = 10_000;
/** Milliseconds without any event after which it is given up: a service that is updated or started again is back before. */
export const PATIENCE_MS = 120_000;

export interface StreamOptions {
  /** Ends the waiting, and the streams with it. */
  readonly signal?: AbortSignal | undefined;
  readonly wait?: (ms: number) => Promise<void>;
  /** Unix time in milliseconds. */
  readonly now?: () => number;
}

/**
 * Without end: whoever knows the last event stops reading.
 * @param open asks for a stream
 * @throws Fault of `open`: at once where trying again cannot help; one that may pass, after {@link PATIENCE_MS} of them
 */
export async function* eventStreams(
  open: () => Promise<Response>,
  { signal, wait = (ms) => sleep(ms, signal), now = Date.now }: StreamOptions = {},
): AsyncGenerator<EventSourceMessage, never> {
  let pauseMs = AGAIN_MS;
  let silentSince: number | undefined;
  for (;;) {
    let came = false;
    let fault = new Fault('unavailable', 'the stream of events ends again and again without any');
    try {
      for await (const event of eventsOf(await open())) {
        came = true;
        yield event;
      }
    } catch (thrown) {
      if (signal?.aborted === true) throw interrupted(thrown);
      fault = faultOf(thrown);
      if (!fault.retryable) throw fault;
    }
    if (came) {
      pauseMs = AGAIN_MS;
      silentSince = undefined;
    } else {
      silentSince ??= now();
      if (now() - silentSince >= PATIENCE_MS) throw fault;
    }
    await wait(pauseMs);
    if (!came) pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
  }
}

const eventsOf = ({ body }: Response): AsyncIterable<EventSourceMessage> | readonly never[] =>
  body?.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream()) ?? [];

/** What is no Fault is the connection's: fetch calls it `TypeError: terminated`. */
const faultOf = (thrown: unknown): Fault =>
  thrown instanceof Fault
    ? thrown
    : new Fault('unavailable', 'the connection breaks off again and again', { cause: thrown });

const interrupted = (cause: unknown) => new Fault('unavailable', 'interrupted', { cause });

async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await setTimeout(ms, undefined, { signal });
  } catch (cause) {
    throw interrupted(cause);
  }
}
