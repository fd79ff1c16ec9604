/** A sink that keeps a streamed answer, for callers that want it whole (the Invoke API). */
import { type InvokeOutcome, MAX_PAYLOAD_BYTES, type StreamSink } from './invocation.ts';

export interface Collector {
  readonly sink: StreamSink;
  outcome(): InvokeOutcome;
}

export function collector(): Collector {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  return {
    sink: {
      head: () => {},
      write: (chunk) => {
        bytes += chunk.byteLength;
        if (bytes <= MAX_PAYLOAD_BYTES) chunks.push(chunk);
        return Promise.resolve();
      },
    },
    outcome: () =>
      bytes > MAX_PAYLOAD_BYTES
        ? {
            kind: 'failed',
            error: {
              errorType: 'Function.ResponseSizeTooLarge',
              errorMessage: `Response payload size exceeded maximum allowed payload size (${MAX_PAYLOAD_BYTES} bytes).`,
            },
          }
        : { kind: 'result', payload: Buffer.concat(chunks).toString() },
  };
}
